"""REST under /api/v1/quality: how well each line was judged in a period or by shift, as JSON and CSV; figures of people for admins."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.dashboard.parts import Parts
from services.dashboard.quality import Period, Row, by_line, by_person, by_shift
from services.dashboard.views import Problem, View
from services.review.quality import Person, Share

PROBLEMS: dict[int | str, dict[str, Any]] = {422: {"model": Problem}, 503: {"model": Problem}}
SHARES = ("wrong_flags", "escapes", "false_rejects")
LONGEST = timedelta(days=31)
"""As many hours as the history counts at once."""


class AskedPeriod(BaseModel):
    model_config = ConfigDict(extra="forbid")

    line: str | None = None
    since: AwareDatetime | None = Field(default=None, description="when parts were captured; none: seven days before `until`")
    until: AwareDatetime | None = Field(default=None, description="not within; none: now")

    def period(self) -> Period:
        until = self.until or datetime.now(UTC)
        since = self.since or until - timedelta(days=7)
        if not timedelta(0) < until - since <= LONGEST:
            raise HTTPException(422, f"since, until: expected a period of up to {LONGEST.days} days, got {since} to {until}")
        return Period(since, until, self.line)


class AskedQuality(AskedPeriod):
    by: Literal["line", "shift"] = Field(default="line", description="one row a line, or one a line and shift, the latest first")


class ShareView(View):
    value: float
    low: float = Field(description="of the 95 % interval")
    high: float
    answers: int = Field(description="how many answers it rests on")

    @classmethod
    def of(cls, share: Share | None) -> Self | None:
        return None if share is None else cls(**{name: getattr(share, name) for name in cls.model_fields})


class QualityView(View):
    line: str
    shift: AwareDatetime | None = Field(description="when it began; null: the whole period")
    passed: int = Field(description="parts that the machine passed, from the history")
    flagged: int
    confirmed: int = Field(description="answers: a defect, with the machine's mask or none")
    corrected: int = Field(description="answers: a defect, with a mask that a person drew")
    good: int
    classes: dict[str, int]
    wrong_flags: ShareView | None = Field(description="of answered flagged parts, the good ones")
    escapes: ShareView | None = Field(description="of passed parts, defects: from blind checks, each weighed by 1 / its probability")
    false_rejects: ShareView | None = Field(description="of all good parts, the flagged ones")
    pairs: int = Field(description="parts that two people answered, the second without knowing the first answer")
    agreement: float | None
    kappa: float | None = Field(description="Cohen's")

    @classmethod
    def of(cls, row: Row) -> Self:
        found, agreed = row.quality, row.agreement
        same: dict[str, Any] = {name: getattr(found, name) for name in ("confirmed", "corrected", "good", "classes")}
        shares: dict[str, Any] = {name: ShareView.of(getattr(found, name)) for name in SHARES}
        counts: dict[str, Any] = {"passed": found.inspected.passed, "flagged": found.inspected.flagged, "pairs": agreed.pairs}
        return cls(line=row.line, shift=row.shift, agreement=agreed.agreement, kappa=agreed.kappa, **same, **shares, **counts)


class PersonView(View):
    name: str
    answers: int
    defects: int
    corrected: int
    pairs: int = Field(description="answers to parts that another person answered too, one of them blind")
    agreed: int

    @classmethod
    def of(cls, person: Person) -> Self:
        return cls(**{name: getattr(person, name) for name in cls.model_fields})


def create_quality_router(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["quality"])

    async def rows(asked: AskedQuality) -> list[QualityView]:
        found = await (by_shift if asked.by == "shift" else by_line)(parts, asked.period())
        return [QualityView.of(row) for row in found]

    @router.get("/quality", summary="How well each line was judged, by line or shift", responses=PROBLEMS)
    async def judged(asked: Annotated[AskedQuality, Query()]) -> list[QualityView]:
        return await rows(asked)

    @router.get("/quality.csv", summary="The same as CSV", response_class=Response, responses=PROBLEMS)
    async def as_csv(asked: Annotated[AskedQuality, Query()]) -> Response:
        disposition = {"content-disposition": 'attachment; filename="loupe-quality.csv"'}
        return Response(_csv(await rows(asked)), media_type="text/csv; charset=utf-8", headers=disposition)

    @router.get("/quality/people", summary="What each person answered, and how often others agree", responses=PROBLEMS)
    async def persons(asked: Annotated[AskedPeriod, Query()]) -> list[PersonView]:
        return [PersonView.of(one) for one in await by_person(parts, asked.period())]

    return router


def _csv(rows: list[QualityView]) -> str:
    text = io.StringIO()
    plain = [name for name in QualityView.model_fields if name not in (*SHARES, "classes")]
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*plain, *(f"{share}{end}" for share in SHARES for end in ("", "_low", "_high"))])
    for row in rows:
        ends = [(share.value, share.low, share.high) if (share := getattr(row, name)) else ("", "", "") for name in SHARES]
        writer.writerow([*(getattr(row, name) for name in plain), *(value for end in ends for value in end)])
    return text.getvalue()
