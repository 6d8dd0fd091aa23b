"""What judges a line, why, and what that can promise, as pydantic models: the JSON of `/api/v1/lines/{line}/calibration`."""

from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.contract.inspection import Calibration, Decision
from services.dashboard.sample import Sample, Suggested
from services.dashboard.views import Reason, View
from services.records.judging import Judgement
from training.calibration import Threshold, groups_needed


class PromiseView(View):
    """Of one threshold: of 1,000 good parts, how many may be at or above it."""

    asked: float | None = Field(default=None, description="share of good parts that it was made for; null: set by hand")
    promised: float | None = Field(default=None, description="95 % upper bound on that share; null: nothing is known")
    kept: bool = Field(default=False, description="what was asked for is promised")
    groups_needed: int | None = Field(default=None, description="groups of good parts without which nobody can promise what was asked for")

    @classmethod
    def of(cls, details: dict[str, Any], name: str) -> Self:
        asked, promised = (_number(details.get(key), name) for key in ("rates", "promised"))
        kept = asked is not None and promised is not None and promised <= asked
        return cls(asked=asked, promised=promised, kept=kept, groups_needed=groups_needed(asked) if asked is not None and 0 < asked < 1 else None)


class JudgementView(View):
    id: int = Field(description="of the activation; whoever changes thresholds names the one that they saw")
    product: str | None = Field(description="null: whatever the line makes")
    model_version: str
    calibration: Calibration
    review: PromiseView
    fail: PromiseView
    by_hand: bool
    groups: int | None = Field(default=None, description="of good parts, that the promise rests on")
    frames: int | None = None
    activated_by: str
    activated_at: AwareDatetime
    reason: str | None = None

    @classmethod
    def of(cls, one: Judgement) -> Self:
        same: dict[str, Any] = {name: getattr(one, name) for name in ("id", "product", "model_version", "calibration", "reason")}
        evidence: dict[str, Any] = {name: one.details.get(name) for name in ("groups", "frames")}
        promises: dict[str, Any] = {name: PromiseView.of(one.details, name) for name in ("review", "fail")}
        return cls(**same, **evidence, **promises, by_hand=bool(one.details.get("by_hand")), activated_by=one.by, activated_at=one.at)


class CalibrationView(View):
    line: str
    product: str | None = Field(description="this page is of; null: whatever the line makes")
    products: tuple[str | None, ...] = Field(description="that have thresholds of their own")
    makes: str | None = Field(description="what the line makes just now")
    current: JudgementView | None = Field(description="null: no model judges this product, its frames are recorded")
    history: tuple[JudgementView, ...] = Field(description="newest first")


class GoodView(View):
    score: float
    weight: float = Field(description="parts that it stands for: 1 / probability with which it was drawn")


class ScoresView(View):
    """Scores by the model that judges now. Blind checks that the caller has yet to answer are in none of them."""

    recent: dict[Decision, list[float]] = Field(description="latest parts, by the decision that they got; in ascending order")
    good: list[GoodView] = Field(description="groups of parts that people called good, highest score first")
    defects: list[float] = Field(description="parts that people called a defect")
    left_out: int = Field(description="of the latest: blind checks that the caller has yet to answer")

    @classmethod
    def of(cls, sample: Sample) -> Self:
        recent = {decision: sorted(one.score for one in sample.recent if one.decision is decision and one.score is not None) for decision in Decision}
        return cls(recent=recent, good=[GoodView(score=one.score, weight=one.weight) for one in sample.good], defects=sample.defects, left_out=sample.left_out)


class ThresholdView(PromiseView):
    value: float

    @classmethod
    def of_threshold(cls, one: Threshold) -> Self:
        return cls(value=one.value, asked=one.rate, promised=one.promised, kept=one.kept, groups_needed=groups_needed(one.rate))


class SuggestionView(View):
    review: ThresholdView
    fail: ThresholdView
    groups: int
    frames: int

    @classmethod
    def of(cls, one: Suggested) -> Self:
        return cls(review=ThresholdView.of_threshold(one.review), fail=ThresholdView.of_threshold(one.fail), groups=one.groups, frames=one.frames)


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid")

    product: str | None = Field(default=None, max_length=200, description="null: the one whose activation applies to what the line makes now")
    seen: int = Field(description="id of the activation that the caller saw; 409 where another one judges by now")
    reason: Reason


class NewThresholds(_Change):
    review: float = Field(gt=0, lt=1, description="at or above it a person looks")
    fail: float = Field(gt=0, lt=1, description="at or above it the part is rejected")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.review >= self.fail:
            raise ValueError(f"expected review below fail, got {self.review:g} and {self.fail:g}")
        return self


class WayBack(_Change):
    calibration_id: str = Field(max_length=64, description="of earlier thresholds of the same product and model")


def _number(values: Any, name: str) -> float | None:
    found = values.get(name) if isinstance(values, dict) else None
    return float(found) if isinstance(found, int | float) else None
