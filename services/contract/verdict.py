"""A verdict: what a person says of an inspection, as a versioned JSON record. A later one supersedes an earlier one; none is overwritten."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.contract.inspection import Decision
from services.contract.names import FrameId


class Answer(StrEnum):
    DEFECT = "defect"
    GOOD = "good"
    WITHDRAWN = "withdrawn"
    """Taken back, with nothing in its place: the frame has no answer and counts in no data set."""


class Verdict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = 1
    verdict_id: str = Field(description="made by whoever writes it, so that sending it again cannot make a second one")
    frame_id: str
    answer: Answer
    defect_class: str | None = Field(default=None, description="one of the line's, for a defect")
    mask_path: str | None = Field(default=None, description="in the archive: PNG of one channel in original pixels, 255 defective, 0 not")
    mask_source: Literal["map", "person"] | None = Field(default=None, description="the thresholded anomaly map as it was confirmed, or drawn")
    given_by: str = Field(description="user name")
    given_at: AwareDatetime
    supersedes: str | None = Field(default=None, description="verdict id of the earlier one on this frame")
    blind: bool = Field(default=False, description="given without sight of score and anomaly map")
    second: bool = Field(default=False, description="a second reviewer's, for agreement; never changes the first one's answer")
    # What it is about, so that a data set can be built from verdicts alone.
    frame_path: str = Field(description="the frame's own bytes in the archive")
    probability: float = Field(default=1.0, gt=0, le=1, description="with which a frame like it is shown to a person; a blind check counts 1 / probability")
    reason: Literal["flagged", "blind-check", "recorded"] = "flagged"
    product: str | None = None
    part_id: str | None = None
    score: float | None = Field(default=None, description="what the machine had said")
    decision: Decision | None = None
    model_version: str | None = None
    captured_at: AwareDatetime

    @model_validator(mode="after")
    def _fits(self) -> "Verdict":
        if self.answer is not Answer.DEFECT and (self.defect_class is not None or self.mask_path is not None):
            raise ValueError(f"verdict: only a defect has a defect class or a mask, got them with {self.answer.value!r}")
        if self.answer is Answer.WITHDRAWN and self.supersedes is None:
            raise ValueError("verdict: expected the id of the verdict that is taken back")
        if (self.mask_path is None) != (self.mask_source is None):
            raise ValueError("verdict: expected mask_path and mask_source together")
        return self

    @property
    def identity(self) -> FrameId:
        return FrameId.parse(self.frame_id)

    def to_json(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def from_json(cls, record: bytes) -> "Verdict":
        return cls.model_validate_json(record)
