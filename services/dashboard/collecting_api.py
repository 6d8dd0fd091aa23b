"""REST under /api/v1 for a line that has no model yet: what it recorded, which of it is good, its first training, and putting that to work."""

import asyncio
from typing import Annotated, Any, Self

from fastapi import APIRouter, HTTPException, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.contract.settings import RetrainingSettings
from services.dashboard.accounts_api import By
from services.dashboard.calibration_views import JudgementView
from services.dashboard.collecting import Collector, Shown, what_is_missing
from services.dashboard.parts import Parts
from services.dashboard.training_api import AskedView, JobId, asked_view
from services.dashboard.views import LineId, Problem, Reason, View
from services.history.errors import SearchError
from services.history.search import After
from services.records.collecting import Tally
from training.data import DataError

MOST = 500
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 409: {"model": Problem}, 422: {"model": Problem}}


class RecordedView(View):
    frame_id: str
    picture: str = Field(description="SHA-256 of its bytes: equal pictures have the same")
    camera: str
    part_id: str | None
    product: str | None
    captured_at: AwareDatetime
    inspected_at: AwareDatetime
    kept: bool | None = Field(default=None, description="good, or thrown out; null: nobody said")
    chosen_by: str | None = None
    chosen_at: AwareDatetime | None = None

    @classmethod
    def of(cls, shown: Shown) -> Self:
        row, choice = shown.row, shown.choice
        same = {name: row[name] for name in ("frame_id", "camera", "part_id", "product", "captured_at", "inspected_at")}
        same["picture"] = row["frame_path"].rpartition("/")[2]
        return cls(**same) if choice is None else cls(**same, kept=choice.kept, chosen_by=choice.by, chosen_at=choice.at)


class TallyView(View):
    """How far a line is from its first training; equal pictures count once."""

    kept: int
    dropped: int
    needed: int
    missing: str = Field(description="how many more good frames it takes, in words; empty where there are enough")

    @classmethod
    def of(cls, tally: Tally, retraining: RetrainingSettings) -> Self:
        return cls(kept=tally.kept, dropped=tally.dropped, needed=retraining.first_frames, missing=what_is_missing(tally.kept, retraining))


class RecordedPage(TallyView):
    rows: tuple[RecordedView, ...]
    after: str | None = Field(description="asks for the next page; null: this was the last")


class Chosen(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    keep: tuple[str, ...] = Field(default=(), max_length=MOST, description="frame ids that show good parts")
    drop: tuple[str, ...] = Field(default=(), max_length=MOST, description="frame ids that are thrown out")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        both = sorted({*self.keep} & {*self.drop})
        if both or not (self.keep or self.drop):
            raise ValueError(f"expected frames to keep or to drop, each once, got {both[:5] or 'none'}")
        return self


class Start(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Reason


def create_collecting_router(parts: Parts) -> APIRouter:
    router, collector = APIRouter(prefix="/api/v1", tags=["new lines"]), Collector(parts)
    retraining = parts.settings.retraining

    @router.get("/lines/{line_id}/recorded", summary="Frames recorded for a first model, newest first", responses=PROBLEMS)
    async def recorded(line_id: LineId, by: By, after: str | None = None, limit: Annotated[int, Query(ge=1, le=MOST)] = 60) -> RecordedPage:
        try:
            place = After.parse(after) if after else None
        except SearchError as error:
            raise HTTPException(422, str(error)) from error
        rows, next_page = await collector.page(by.name, line_id, after=place, limit=limit)
        tally = TallyView.of(await collector.tally(line_id), retraining)
        return RecordedPage(**tally.model_dump(), rows=tuple(map(RecordedView.of, rows)), after=str(next_page) if next_page else None)

    @router.put("/lines/{line_id}/recorded", summary="Keep good frames, throw out others", responses=PROBLEMS)
    async def chosen(line_id: LineId, wanted: Chosen, by: By) -> TallyView:
        return TallyView.of(await collector.choose(line_id, tuple(dict.fromkeys(wanted.keep)), tuple(dict.fromkeys(wanted.drop)), by), retraining)

    @router.post("/lines/{line_id}/first-training", status_code=202, summary="Train the line's first model from its good frames", responses=PROBLEMS)
    async def trained(line_id: LineId, by: By) -> AskedView:
        try:
            job, new = await collector.train(line_id, by)
        except DataError as error:
            raise HTTPException(409, f"line {line_id}: {error}") from error
        return await asyncio.to_thread(asked_view, parts, job, new)

    @router.post("/jobs/{job_id}/start", summary="Let a line's first model judge it", responses=PROBLEMS)
    async def started(job_id: JobId, wanted: Start, by: By) -> JudgementView:
        return JudgementView.of(await collector.start(job_id, wanted.reason, by))

    return router
