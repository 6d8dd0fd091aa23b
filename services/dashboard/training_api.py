"""REST under /api/v1 for retraining: ask for one, look at those there are, cancel one, put what came of it to work, and go back."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Self

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.dashboard.accounts_api import PROBLEMS, By
from services.dashboard.backtests import ask_backtest
from services.dashboard.calibration_views import JudgementView
from services.dashboard.parts import Parts
from services.dashboard.pictures import image_response
from services.dashboard.promotion import promote, roll_back
from services.dashboard.training import as_seen, changed_picture, curve, log_tail
from services.dashboard.views import LineId, Reason, View
from services.records.audit import Actor
from services.records.jobs import Job, JobKind, JobState, Trigger
from services.records.store import Line

MOST = 200

Known = Annotated[str | None, Header(alias="if-none-match")]
JobId = Annotated[str, Path(description="job", examples=["metal-0f3a9c51d2b7"])]


class JobView(View):
    id: str
    line: str
    kind: JobKind
    trigger: Trigger
    state: JobState
    asked_by: str
    asked_at: AwareDatetime
    attempts: int = Field(description="how often somebody began or took it up again")
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    cancel_asked_by: str | None
    plan: dict[str, Any] = Field(description="what it goes by: dataset, champion, recipe, the gate's rule; empty until it has begun")
    progress: dict[str, Any] = Field(description="stage, step, steps, losses, steps_per_s; empty while it waits for a free worker")
    result: dict[str, Any] = Field(description="candidate, calibration and the gate's report; empty until it has finished")
    error: str | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """Of the pictures that a first training goes by only how many: a list of jobs should not name thousands."""
        frames = job.plan.get("frames")
        plan = job.plan if frames is None else {**job.plan, "frames": sum(map(len, frames.values()))}
        return cls(**{**{name: getattr(job, name) for name in cls.model_fields}, "plan": plan})


class AskedView(JobView):
    joined: bool = Field(description="one of the line was open already: this is that one")
    before: int = Field(description="open jobs of other lines that come first")


class TrainingView(View):
    """What is known of a line before its next retraining."""

    line: str
    name: str
    model_version: str | None = Field(description="what judges it; null: there is nothing to retrain")
    new_verdicts: int = Field(description="since its last retraining was asked for")
    after_verdicts: int = Field(description="so many start one by themselves; 0: they do not")
    every_hours: float | None = Field(description="the schedule; null: none")
    promote_automatically: bool
    job: JobView | None = Field(description="the open retraining, or first training")


class CurveView(View):
    points: tuple[tuple[str, int, float], ...] = Field(description="stage, step, total loss")


class LogView(View):
    lines: tuple[str, ...] = Field(description="the last ones")


class Backtest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    minutes: int = Field(default=15, ge=1, le=60, description="how far back, as far as Kafka still has the frames")


class Promotion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Reason | None = Field(default=None, description="why; needed where the gate found too little evidence")


class Rollback(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Reason
    to: str | None = Field(
        default=None, pattern="^[0-9a-f]{6,64}$", description="a version that judged the line earlier, or how its id begins; none: the one before"
    )


def create_training_router(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["training"])
    _add_jobs(router, parts)
    _add_what_they_left(router, parts)
    _add_promotion(router, parts)
    return router


def _add_jobs(router: APIRouter, parts: Parts) -> None:
    jobs = parts.jobs

    @router.get("/training", summary="Each line, and what would start its next retraining")
    async def lines() -> list[TrainingView]:
        return await asyncio.to_thread(_lines, parts)

    @router.get("/jobs", summary="Retrainings, first trainings and backtests, newest first")
    async def listed(by: By, line: str | None = None, limit: Annotated[int, Query(ge=1, le=MOST)] = 50) -> list[JobView]:
        return await asyncio.to_thread(lambda: _seen(parts, jobs.jobs(line, limit=limit), by))

    @router.get("/jobs/{job_id}", summary="One job", responses=PROBLEMS)
    async def shown(job_id: JobId, by: By) -> JobView:
        return (await asyncio.to_thread(lambda: _seen(parts, [jobs.job(job_id)], by)))[0]

    @router.post("/jobs/{job_id}/cancel", summary="End one that waits or runs", responses=PROBLEMS)
    async def cancelled(job_id: JobId, by: By) -> JobView:
        return JobView.of(await asyncio.to_thread(jobs.cancel, job_id, by))

    @router.post("/lines/{line_id}/retrain", status_code=202, summary="Teach the line's model with what people said since", responses=PROBLEMS)
    async def asked(line_id: LineId, by: By) -> AskedView:
        job, new = await asyncio.to_thread(jobs.ask, line_id, Trigger.CLICK, by)
        return await asyncio.to_thread(asked_view, parts, job, new)

    @router.post("/jobs/{job_id}/backtest", status_code=202, summary="Ask how its candidate would have decided the line's latest frames", responses=PROBLEMS)
    async def backtested(job_id: JobId, wanted: Backtest, by: By) -> AskedView:
        """A job of its own, whose result has the answer."""
        job, new = await asyncio.to_thread(ask_backtest, parts, job_id, wanted.minutes, by)
        return await asyncio.to_thread(asked_view, parts, job, new)


def _add_what_they_left(router: APIRouter, parts: Parts) -> None:
    """The longer paths; where a job's files are not on this machine they are 404."""

    @router.get("/jobs/{job_id}/losses", summary="Its curve of losses", responses=PROBLEMS)
    async def losses(job_id: JobId) -> CurveView:
        return CurveView(points=tuple(await asyncio.to_thread(lambda: curve(parts, parts.jobs.job(job_id)))))

    @router.get("/jobs/{job_id}/log", summary="The end of its log", responses=PROBLEMS)
    async def log(job_id: JobId) -> LogView:
        return LogView(lines=tuple(await asyncio.to_thread(lambda: log_tail(parts, parts.jobs.job(job_id)))))

    @router.get("/jobs/{job_id}/changes/{number}/image", summary="A frame that the two models decide differently", response_class=Response, responses=PROBLEMS)
    async def change(job_id: JobId, number: Annotated[int, Path(ge=0)], by: By, known: Known = None) -> Response:
        return image_response(await asyncio.to_thread(lambda: changed_picture(parts, parts.jobs.job(job_id), number, by.name)), known)


def _add_promotion(router: APIRouter, parts: Parts) -> None:
    @router.post("/jobs/{job_id}/promote", summary="Let the candidate judge the line", responses=PROBLEMS)
    async def promoted(job_id: JobId, wanted: Promotion, by: By) -> JudgementView:
        return JudgementView.of(await promote(parts, job_id, wanted.reason, by))

    @router.post("/lines/{line_id}/rollback", summary="Let a model judge that did before", responses=PROBLEMS)
    async def rolled_back(line_id: LineId, wanted: Rollback, by: By) -> JudgementView:
        return JudgementView.of(await roll_back(parts, line_id, wanted.reason, by, to=wanted.to))


def _seen(parts: Parts, jobs: Sequence[Job], by: Actor) -> list[JobView]:
    return [JobView.of(job).model_copy(update={"result": result}) for job, result in zip(jobs, as_seen(parts, jobs, by.name), strict=True)]


def asked_view(parts: Parts, job: Job, new: bool) -> AskedView:
    return AskedView(**JobView.of(job).model_dump(), joined=not new, before=parts.jobs.queued_before(job))


def _lines(parts: Parts) -> list[TrainingView]:
    actives = {active.line: active for active in parts.records.actives()}
    return [_line(parts, line, actives[line.id].model_version) for line in parts.records.lines()]


def _line(parts: Parts, line: Line, model_version: str | None) -> TrainingView:
    last, first = (next(iter(parts.jobs.jobs(line.id, kind, limit=1)), None) for kind in (JobKind.RETRAIN, JobKind.FIRST))
    working = next((job for job in (last, first) if job is not None and job.state.open), None)  # an open one is the newest of its kind
    return TrainingView(
        line=line.id,
        name=line.name or line.id,
        model_version=model_version,
        new_verdicts=parts.datasets.answers.given_since(line.id, last.asked_at if last else None),
        after_verdicts=parts.settings.retraining.after_verdicts,
        every_hours=parts.settings.retraining.every_hours,
        promote_automatically=line.promote_automatically,
        job=JobView.of(working) if working else None,
    )
