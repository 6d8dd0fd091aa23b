"""Frames that a line without a model recorded -> its first model at work: what people say of the frames, the training, and the beginning."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from models.registry import read_version, shipped
from services.contract.inspection import Outcome
from services.contract.names import FrameId
from services.contract.settings import RetrainingSettings
from services.dashboard.errors import DashboardError
from services.dashboard.history import HistoryDesk, Page
from services.dashboard.lines import calibrated, follow
from services.dashboard.parts import Parts
from services.dashboard.standby import standing_by
from services.history.reader import Row
from services.history.search import After, Search
from services.records.audit import Actor
from services.records.collecting import Choice, Collecting, Recorded, Tally
from services.records.database import Database
from services.records.jobs import Job, JobKind, JobState, Trigger
from services.records.judging import Judgement
from training.first_groups import group_of_frame, in_groups

RECORDED = "recorded"
SEED = 0


class UnknownRecordedError(DashboardError):
    """Frames that were not recorded on this line, or are no longer in the history."""


class NotTrainableError(DashboardError):
    """A line that has too few good frames, or a model already."""


class NotStartableError(DashboardError):
    """No first training that has finished."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One recorded frame, and what was said of it."""

    row: Row
    choice: Choice | None


class Collector:
    """The history lists what was recorded, SQL keeps what people say of it."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._history = parts, HistoryDesk.of(parts.settings)
        self._collecting = Collecting(Database(parts.settings.records_url))

    async def page(self, user: str, line: str, *, after: After | None, limit: int) -> tuple[list[Shown], After | None]:
        """Newest first. Raises UnknownLineError."""
        await asyncio.to_thread(self._parts.records.line, line)
        page = await self._history.page(user, _recorded(line), after=after, limit=limit)
        said = await asyncio.to_thread(self._collecting.choices, line, _ids(page))
        return [Shown(one.row, said.get(one.row["frame_id"])) for one in page.rows], page.after

    async def tally(self, line: str) -> Tally:
        return await asyncio.to_thread(self._collecting.tally, line)

    async def choose(self, line: str, keep: Sequence[str], drop: Sequence[str], by: Actor) -> Tally:
        """Raises UnknownLineError, UnknownRecordedError; then nothing was kept or thrown out."""
        await asyncio.to_thread(self._parts.records.line, line)
        wanted = tuple({*keep, *drop})
        page = await self._history.page(by.name, _recorded(line, wanted), limit=max(1, len(wanted)))
        known = {one.row["frame_id"]: _frame(one.row) for one in page.rows}
        missing = [frame for frame in wanted if frame not in known]
        if missing:
            raise UnknownRecordedError(f"line {line}: expected frames that it recorded, got {', '.join(sorted(missing)[:5])}")
        chosen = partial(self._collecting.choose, line, keep=[known[frame] for frame in keep], drop=[known[frame] for frame in drop], by=by)
        return await asyncio.to_thread(chosen)

    async def train(self, line: str, by: Actor) -> tuple[Job, bool]:
        """The open first training of the line, and whether it is a new one. Raises UnknownLineError, NotTrainableError, DataError."""
        active = await asyncio.to_thread(self._parts.records.active, line)
        if active.model_version is not None:
            raise NotTrainableError(f"line {line}: expected one that no model judges yet; teach its model anew with `loupe retrain {line}`")
        plan = await asyncio.to_thread(self._plan, line)
        return await asyncio.to_thread(partial(self._parts.jobs.ask, line, Trigger.CLICK, by, kind=JobKind.FIRST, plan=plan))

    async def start(self, job_id: str, reason: str, by: Actor) -> Judgement:
        """Its line is judged from now on. Raises UnknownJobError, NotStartableError, UnusableModelError; ChangedMeanwhileError where a model judges already.

        RejectedVersionError, NotReadyError where replicas cannot judge with it; nothing has changed then.
        """
        parts = self._parts
        job = await asyncio.to_thread(parts.jobs.job, job_id)
        if job.kind is not JobKind.FIRST or job.state is not JobState.FINISHED:
            raise NotStartableError(f"job {job.id}: expected a first training that has finished, it is a job of kind {job.kind} and {job.state}")
        judges = await asyncio.to_thread(calibrated, job.line, job.result["candidate"], parts.settings)
        begun = partial(parts.judging.begin, job.line, judges.model_version, judges.calibration, judges.details)
        async with standing_by(parts, judges.model_version):
            made = await asyncio.to_thread(begun, by=by, reason=reason)
            await follow(job.line, parts.records, parts.store)
        return made

    def _plan(self, line: str) -> dict[str, Any]:
        retraining, good = self._parts.settings.retraining, self._collecting.good(line)
        missing = what_is_missing(len(good), retraining)
        if missing:
            raise NotTrainableError(f"line {line}: {missing}")
        return {
            "frames": in_groups(good),
            "codec": read_version(shipped("codec")).id,
            "recipe": retraining.first_recipe,
            "budget": retraining.budget,
            "seed": SEED,
            "review_rate": retraining.review_rate,
            "fail_rate": retraining.fail_rate,
        }


def what_is_missing(kept: int, retraining: RetrainingSettings) -> str:
    """Empty where there are enough good frames for a first training."""
    more = retraining.first_frames - kept
    return f"{kept} of the {retraining.first_frames} good frames that a first training needs are kept: keep {more} more" if more > 0 else ""


def _recorded(line: str, frame_ids: tuple[str, ...] | None = None) -> Search:
    return Search(line=line, outcome=Outcome.RECORDED, archived_reason=RECORDED, frame_ids=frame_ids)


def _ids(page: Page) -> list[str]:
    return [one.row["frame_id"] for one in page.rows]


def _frame(row: Row) -> Recorded:
    return Recorded(row["frame_id"], row["frame_path"], group_of_frame(FrameId.parse(row["frame_id"]), row["part_id"]))
