"""An inspection: what the machine says of a frame, as a versioned JSON record."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.contract.names import FrameId


class Outcome(StrEnum):
    INSPECTED = "inspected"
    RECORDED = "recorded"
    """The line has no active model, or is paused."""
    FAILED = "failed"
    """Dead-lettered."""
    LATE = "late"
    """The deadline had passed before it could be inspected."""


class Decision(StrEnum):
    PASS = "pass"
    REVIEW = "review"
    FAIL = "fail"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Region(_Message):
    """A connected area of the thresholded anomaly map, in pixels of the original picture."""

    x: int
    y: int
    width: int
    height: int
    area: int = Field(description="pixels")
    peak: float = Field(description="largest value of the anomaly map inside, 0..1")


class Source(_Message):
    """Where the frame stands in Kafka; the topic id, not its name, since a topic made anew starts again at 0."""

    topic_id: str
    partition: int
    offset: int


class Archived(_Message):
    """Why the frame's bytes were kept, and with what probability a frame like it is."""

    reason: Literal["flagged", "blind-check", "recorded", "failed"]
    probability: float
    frame_path: str
    map_path: str | None = None


class Timings(_Message):
    """Moments in UTC; all but `captured_at` (the camera's clock) from the frame consumer's clock."""

    captured_at: AwareDatetime
    received_at: AwareDatetime
    decoded_at: AwareDatetime | None = None
    inferred_at: AwareDatetime | None = None
    written_at: AwareDatetime

    @property
    def latency_ms(self) -> float:
        """Captured to written; negative where the camera's clock runs ahead (clock skew)."""
        return (self.written_at - self.captured_at).total_seconds() * 1000


class Inspection(_Message):
    schema_version: Literal[1] = 1
    frame_id: str
    outcome: Outcome
    source: Source
    timings: Timings
    part_id: str | None = None
    product: str | None = None
    truth: str | None = Field(default=None, description="what the source knows of the part; never read by the inspector")
    score: float | None = Field(default=None, description="anomaly score, 0..1, before any threshold")
    decision: Decision | None = None
    regions: tuple[Region, ...] = ()
    map_kind: Literal["coarse", "full"] | None = Field(default=None, description="detection module's map, or the upsampling module's")
    width: int | None = Field(default=None, description="of the original picture, pixels")
    height: int | None = None
    model_version: str | None = None
    calibration_id: str | None = None
    archived: Archived | None = None
    error: str | None = None

    @property
    def identity(self) -> FrameId:
        return FrameId.parse(self.frame_id)

    @property
    def flagged(self) -> bool:
        return self.decision in (Decision.REVIEW, Decision.FAIL) or (self.archived is not None and self.archived.reason == "blind-check")

    @property
    def latency_ms(self) -> float:
        return self.timings.latency_ms

    def to_json(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def from_json(cls, record: bytes) -> "Inspection":
        return cls.model_validate_json(record)


class Calibration(_Message):
    """Two thresholds on the anomaly score: at or above `review` a person looks, at or above `fail` the part is rejected."""

    calibration_id: str
    review: float = Field(ge=0)
    fail: float = Field(ge=0)
    map_threshold: float = Field(default=0.5, ge=0, le=1, description="anomaly map -> mask, from good frames too")


class Judges(_Message):
    """A model version and a calibration: they change together."""

    model_version: str
    calibration: Calibration
    activated_at: datetime | None = None


class Active(_Message):
    """What judges a line now. No model, or paused: frames are recorded, not judged.

    `model_version` and `calibration` are for what the line makes just now. A line whose activations name products is judged by product:
    `products` has all of them, and a frame of any other is recorded.
    """

    line: str
    paused: bool = False
    product: str | None = Field(default=None, description="what the line makes just now, where a frame does not say it itself")
    model_version: str | None = None
    calibration: Calibration | None = None
    activated_at: datetime | None = None
    products: dict[str, Judges] = Field(default_factory=dict, description="product -> what judges it; empty: one model judges whatever comes")
    blind_check_rate: float | None = Field(default=None, ge=0, le=1, description="share of passed frames drawn for blind checks; none: as the settings say")

    @property
    def judging(self) -> bool:
        return not self.paused and self.model_version is not None and self.calibration is not None

    def of_product(self, product: str | None) -> "Active":
        """The same line as a frame of this product sees it; a frame that names none is of what the line makes just now."""
        if product is None or product == self.product:
            return self
        if not self.products:
            return self.model_copy(update={"product": product})
        judges = self.products.get(product)
        return self.model_copy(update={"product": product, **{name: getattr(judges, name, None) for name in Judges.model_fields}})

    @property
    def versions(self) -> set[str]:
        """Every model version that may be asked for, whatever comes next."""
        return {one for one in (self.model_version, *(judges.model_version for judges in self.products.values())) if one is not None}
