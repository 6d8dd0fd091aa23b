"""Candidates that the gate passed -> what judges their lines, without a click, where a line says so.

What was done is read from the records each time, so that a new start neither forgets a candidate nor puts one to work twice. One that judged
once and was taken back by somebody stays back.
"""

import asyncio
import logging

from services.dashboard.errors import DashboardError
from services.dashboard.parts import Parts
from services.dashboard.promotion import promote
from services.dashboard.standby import NotReadyError
from services.records.audit import Actor
from services.records.errors import ChangedMeanwhileError
from services.records.jobs import Job, JobKind, JobState
from training.gate_rule import Answer

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
BY = Actor("trainer", "system")
REASON = "the gate passed it, and the line promotes automatically"


class Automatic:
    """Remembers which candidates replicas refused: trying one again every few seconds would only burden them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._refused: set[str] = set()

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:  # stores that are away, replicas that are not up: the next look may find them
                log.info("automatic promotion: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Promotes what is due now. Raises what keeps it from being done just now."""
        for job in await asyncio.to_thread(self._due):
            try:
                await promote(self._parts, job.id, REASON, BY)
                log.info("line %s: candidate of %s promoted automatically", job.line, job.id)
            except NotReadyError:
                raise
            except (DashboardError, ChangedMeanwhileError) as error:
                log.warning("line %s: candidate of %s is not promoted: %s", job.line, job.id, error)
                self._refused.add(job.id)

    def _due(self) -> list[Job]:
        latest = (self._latest(line.id) for line in self._parts.records.lines() if line.promote_automatically)
        return [job for job in latest if job is not None and job.id not in self._refused and self._is_due(job)]

    def _latest(self, line: str) -> Job | None:
        """The retraining of a line that finished last."""
        finished = (job for job in self._parts.jobs.jobs(line, JobKind.RETRAIN) if job.state is JobState.FINISHED)
        return next(finished, None)

    def _is_due(self, job: Job) -> bool:
        if job.result["gate"]["answer"] != Answer.PASSED:
            return False
        judged = self._parts.judging.history(job.line, None)
        champion_judges = bool(judged) and judged[0].model_version == job.result["champion"]
        return champion_judges and not any(one.model_version == job.result["candidate"] and job.ended_at and one.at >= job.ended_at for one in judged)
