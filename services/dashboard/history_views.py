"""What History is asked and what it answers, as pydantic models."""

from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.contract.inspection import Decision, Inspection, Outcome, Region
from services.contract.verdict import Answer, Verdict
from services.dashboard.history import Page, Seen
from services.dashboard.views import View
from services.history.reader import Count, Extent
from services.history.search import Search


class AskedHistory(BaseModel):
    """Filters, all of which must fit. Whatever would tell what the machine said of a blind check leaves it out."""

    model_config = ConfigDict(extra="forbid")

    line: str | None = None
    camera: str | None = None
    product: str | None = None
    part_id: str | None = None
    frame_id: str | None = Field(default=None, description="line/camera/session/sequence")
    outcome: Outcome | None = None
    decision: Decision | None = None
    score_from: float | None = Field(default=None, ge=0, le=1)
    score_to: float | None = Field(default=None, ge=0, le=1)
    model_version: str | None = Field(default=None, pattern=r"^[0-9a-f]{1,64}$", description="its id, or how it begins")
    since: AwareDatetime | None = Field(default=None, description="of the inspection")
    until: AwareDatetime | None = Field(default=None, description="not within")

    def search(self) -> Search:
        return Search(**{name: getattr(self, name) for name in AskedHistory.model_fields})

    def told(self) -> dict[str, str]:
        """For the audit."""
        return {name: str(value) for name in AskedHistory.model_fields if (value := getattr(self, name)) is not None}


class AskedHistoryPage(AskedHistory):
    after: str | None = Field(default=None, description="`after` of the page before")
    limit: int = Field(default=50, ge=1, le=500)


class AskedCounts(AskedHistory):
    by: Literal["hour", "day"] = Field(default="hour", description="days are of UTC")


class SaidView(View):
    answer: Answer
    defect_class: str | None
    given_by: str
    given_at: AwareDatetime

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        return cls(**{name: getattr(verdict, name) for name in cls.model_fields})


class HistoryRow(View):
    """One inspection. `blind`: a blind check to the caller, who is told nothing that the machine said of it."""

    frame_id: str
    line: str
    camera: str
    session: str
    sequence: int
    part_id: str | None = None
    product: str | None = None
    captured_at: AwareDatetime
    inspected_at: AwareDatetime
    latency_ms: float
    outcome: Outcome
    blind: bool = False
    decision: Decision | None = None
    score: float | None = None
    model_version: str | None = None
    calibration_id: str | None = None
    map_kind: str | None = None
    regions: tuple[Region, ...] = ()
    width: int | None = None
    height: int | None = None
    archived_reason: str | None = Field(default=None, description="why its picture was kept")
    archived_probability: float | None = None
    error: str | None = None
    verdict: SaidView | None = None

    @classmethod
    def of(cls, seen: Seen) -> Self:
        row, unlike = seen.row, {"blind", "regions", "verdict"}
        same = {name: row[name] for name in cls.model_fields if name not in unlike}
        return cls(**same, blind=row["hidden"], regions=row["regions"] or (), verdict=SaidView.of(seen.verdict) if seen.verdict else None)

    @classmethod
    def of_inspection(cls, inspection: Inspection, verdict: Verdict | None, *, blind: bool) -> Self:
        """`inspection` as the caller may see it."""
        identity, timings, archived = inspection.identity, inspection.timings, inspection.archived
        places = {name: getattr(identity, name) for name in ("line", "camera", "session", "sequence")}
        same = {name: getattr(inspection, name) for name in cls.model_fields if name in Inspection.model_fields}
        return cls(
            **same,
            **places,
            captured_at=timings.captured_at,
            inspected_at=timings.written_at,
            latency_ms=inspection.latency_ms,
            blind=blind,
            archived_reason=archived.reason if archived else None,
            archived_probability=archived.probability if archived else None,
            verdict=SaidView.of(verdict) if verdict and not blind else None,
        )


class HistoryPage(View):
    rows: tuple[HistoryRow, ...]
    after: str | None = Field(description="asks for the next page; null: this was the last")

    @classmethod
    def of(cls, page: Page) -> Self:
        return cls(rows=tuple(map(HistoryRow.of, page.rows)), after=str(page.after) if page.after else None)


class CountView(View):
    at: AwareDatetime
    inspections: int
    passed: int
    review: int
    failed: int = Field(description="decision fail (NG)")
    hidden: int = Field(description="blind checks to the caller, of which no decision is counted")

    @classmethod
    def of(cls, count: Count) -> Self:
        return cls(**{name: getattr(count, name) for name in cls.model_fields})


class ExtentView(View):
    inspections: int
    bytes: int
    first_day: str | None
    last_day: str | None
    problem: str = Field(description="why nothing is added just now")

    @classmethod
    def of(cls, extent: Extent, problem: str) -> Self:
        return cls(inspections=extent.rows, bytes=extent.bytes, first_day=extent.first_day, last_day=extent.last_day, problem=problem)
