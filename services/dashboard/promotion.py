"""A retraining's candidate -> what judges its line, where the gate passed it or a person says why; and the way back."""

import asyncio
from functools import partial

from services.dashboard.errors import DashboardError
from services.dashboard.lines import calibrated, follow
from services.dashboard.parts import Parts
from services.dashboard.standby import standing_by
from services.records.audit import Actor
from services.records.jobs import Job, JobState
from services.records.judging import Judgement
from training.gate_rule import Answer

PASSED = "the gate passed it"


class NotPromotableError(DashboardError):
    """A retraining without a candidate, or with one that the gate does not let through."""


async def promote(parts: Parts, job_id: str, reason: str | None, by: Actor) -> Judgement:
    """Raises UnknownJobError, NotPromotableError, UnusableModelError; ChangedMeanwhileError where another model judges than it was compared with.

    RejectedVersionError, NotReadyError where replicas cannot judge with it; nothing has changed then.
    """
    job = await asyncio.to_thread(parts.jobs.job, job_id)
    why = _let_through(job, reason)
    judges = await asyncio.to_thread(calibrated, job.line, job.result["candidate"], parts.settings)
    promoted = partial(parts.judging.promote, job.line, judges.model_version, judges.calibration, judges.details, over=job.result["champion"])
    async with standing_by(parts, judges.model_version):
        made = await asyncio.to_thread(promoted, by=by, reason=why)
        await follow(job.line, parts.records, parts.store)
    return made


async def roll_back(parts: Parts, line: str, reason: str, by: Actor, *, to: str | None = None) -> Judgement:
    """To the version before, or to the one that is named.

    Raises UnknownLineError, NoEarlierModelError; RejectedVersionError and NotReadyError as `promote` does.
    """
    back = await asyncio.to_thread(parts.judging.way_back, line, to)
    async with standing_by(parts, back.to):
        made = await asyncio.to_thread(partial(parts.judging.roll_back, line, back, by=by, reason=reason))
        await follow(line, parts.records, parts.store)
    return made


def _let_through(job: Job, reason: str | None) -> str:
    """The reason that is kept."""
    if job.state is not JobState.FINISHED:
        raise NotPromotableError(f"job {job.id}: expected one that has finished, it is {job.state}")
    gate = job.result.get("gate")
    if gate is None:
        raise NotPromotableError(f"job {job.id}: no gate compared what came of it; a line's first model is put to work with `loupe line start {job.line}`")
    if gate["answer"] == Answer.REFUSED:
        raise NotPromotableError(f"job {job.id}: the gate refused its candidate: {'; '.join(gate['reasons'])}")
    if gate["answer"] == Answer.PASSED:
        return reason or PASSED
    if reason is None:
        raise NotPromotableError(f"job {job.id}: {gate['answer']} ({'; '.join(gate['reasons'])}); say why it should judge the line all the same")
    return reason
