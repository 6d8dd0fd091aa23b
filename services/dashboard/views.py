"""What the pages and REST callers are shown, as pydantic models: the JSON of `/api/v1` and of the packets on /ws/live."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal, Self

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.contract.inspection import Calibration, Decision, Inspection, Outcome, Region
from services.contract.names import checked_id
from services.ingest.address import parse_source

LineState = Literal["live", "recording", "paused", "no-signal"]


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class Part(View):
    """One inspected frame in short."""

    frame_id: str
    line: str
    camera: str
    captured_at: AwareDatetime
    outcome: Outcome
    decision: Decision | None = None
    score: float | None = None
    latency_ms: float = Field(description="captured to written; negative where the camera's clock runs ahead")
    regions: tuple[Region, ...] = ()
    map_kind: str | None = None
    width: int | None = None
    height: int | None = None
    model_version: str | None = None
    calibration_id: str | None = None
    part_id: str | None = None
    product: str | None = None
    error: str | None = None
    archived: bool = False

    @classmethod
    def of(cls, inspection: Inspection) -> Self:
        same = ("frame_id", "outcome", "decision", "score", "regions", "map_kind", "width", "height", "model_version", "calibration_id")
        return cls(
            **{name: getattr(inspection, name) for name in (*same, "part_id", "product", "error")},
            line=inspection.identity.line,
            camera=inspection.identity.camera,
            captured_at=inspection.timings.captured_at,
            latency_ms=round(inspection.latency_ms, 1),
            archived=inspection.archived is not None,
        )


class CameraView(View):
    id: str
    source: str = ""
    state: Literal["up", "down", "paused", "unknown"] = "unknown"
    error: str = ""
    sent: int = 0
    dropped: int = 0


class MinuteView(View):
    """What a line did in one minute; `at` is its beginning in Unix milliseconds, `seconds` how much of it has passed."""

    at: int
    seconds: float
    parts: int
    inspected: int
    review: int
    failed: int = Field(description="decision fail (NG)")
    latency_p95_ms: float | None = None


class LineView(View):
    id: str
    name: str
    product: str | None = None
    state: LineState
    reason: str = Field(default="", description="why it is not live")
    frames_per_s: float | None = None
    latency_p95_ms: float | None = Field(default=None, description="of the last minute")
    defect_rate: float | None = Field(default=None, description="share of decision fail in the last 5 minutes")
    review_rate: float | None = Field(default=None, description="share of decision review in the last 5 minutes")
    inspected: int = Field(default=0, description="in the last 5 minutes")
    model_version: str | None = None
    calibration: Calibration | None = None
    products: tuple[str, ...] = Field(default=(), description="that have a model of their own; none: one model judges whatever comes")
    blind_check_rate: float | None = Field(default=None, description="share of passed frames drawn for blind checks; null: as the settings say")
    promote_automatically: bool = Field(default=False, description="candidates that the gate passed judge the line without a click")
    cameras: tuple[CameraView, ...] = ()
    recent: tuple[str, ...] = Field(default=(), description="latest decisions (or outcomes), oldest first")


class Totals(View):
    lines: int
    lines_up: int
    parts_per_min: float
    defect_rate: float | None = None
    review_rate: float | None = None
    latency_p95_ms: float | None = None
    lag: int | None = Field(default=None, description="frames that wait for inspection")
    lag_s: float | None = None


class Alarm(View):
    line: str | None = None
    text: str
    severity: Literal["bad", "warn"] = "bad"


class WallView(View):
    """The whole plant now. `signal` is false where the live view cannot be read: then nothing here is current."""

    signal: bool
    reason: str = ""
    site: str
    time_zone: str
    lines: tuple[LineView, ...] = ()
    totals: Totals
    flagged: tuple[Part, ...] = ()
    alarms: tuple[Alarm, ...] = ()


def _checked_source(source: str) -> str:
    parse_source(source)
    return source


class NewCamera(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, AfterValidator(partial(checked_id, what="camera"))]
    source: Annotated[str, AfterValidator(_checked_source)] = Field(description="folder:PATH, video:PATH, synthetic:KIND or push:, with ?key=value options")


class NewLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, AfterValidator(partial(checked_id, what="line"))]
    name: str | None = None
    product: str | None = None
    when_full: Literal["wait", "drop"] = "wait"
    model: str | None = Field(default=None, description="name or id of a model version whose card has a calibration for this line; none: frames are recorded")
    push_token: str | None = Field(default=None, min_length=16, description="lets cameras push frames over HTTP; kept as a hash")
    cameras: Sequence[NewCamera] = ()

    @model_validator(mode="after")
    def _different(self) -> Self:
        ids = [camera.id for camera in self.cameras]
        if len(set(ids)) != len(ids):
            raise ValueError(f"cameras: expected different ids, got {ids}")
        return self


Product = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$", description="as frames name it", examples=["tile-a"])]
LineId = Annotated[str, Path(description="line", examples=["metal"])]
Reason = Annotated[str, Field(min_length=3, max_length=500, description="why, for the history", examples=["too many false rejects on the night shift"])]


class LineSettings(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    product: Product | None = Field(default=None, description="changeover: what the line makes from now on; null: it does not say")
    blind_check_rate: float | None = Field(default=None, ge=0, le=1, description="share of passed frames drawn for blind checks; null: as the settings say")
    promote_automatically: bool = Field(default=False, description="let candidates that the gate passed judge the line without a click")


class NewProduct(BaseModel):
    """What judges frames of one product from now on."""

    model_config = ConfigDict(extra="forbid")

    product: Product
    model: str = Field(description="name or id of a model version whose card has a calibration for this product or line")
    reason: Reason


class Limits(BaseModel):
    """Between how many replicas the Inspector moves."""

    model_config = ConfigDict(extra="forbid")

    min: int = Field(ge=0, le=1024)
    max: int = Field(ge=1, le=1024)


class Problem(BaseModel):
    detail: str
