"""Verdicts given and time gone by -> jobs that nobody had to click for."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.contract.settings import RetrainingSettings
from services.records.answers import Answers
from services.records.audit import Actor
from services.records.errors import RecordsError
from services.records.jobs import Job, JobKind, Jobs, Trigger
from services.records.store import Records

log = logging.getLogger(__name__)

TRAINER = Actor("trainer", "system")


@dataclass(frozen=True, slots=True)
class Triggers:
    """Asks for a line's retraining where its settings say so; a line without a model of its own has nothing to retrain."""

    settings: RetrainingSettings
    records: Records
    answers: Answers
    jobs: Jobs

    def look(self, now: datetime | None = None) -> None:
        """Raises RecordsError."""
        for active in self.records.actives():
            if active.model_version is None:
                continue
            last = next(iter(self.jobs.jobs(active.line, JobKind.RETRAIN, limit=1)), None)
            trigger = self._due(active.line, last, now or datetime.now(UTC))
            if trigger is not None:
                job, _ = self.jobs.ask(active.line, trigger, TRAINER)
                log.info("line %s: job %s, for %s", active.line, job.id, trigger)

    def try_look(self) -> None:
        try:
            self.look()
        except RecordsError as error:
            log.warning("no triggers: %s", error)

    def _due(self, line: str, last: Job | None, now: datetime) -> Trigger | None:
        if last is not None and last.state.open:
            return None
        new = self.answers.given_since(line, last.asked_at if last else None)
        if self.settings.after_verdicts and new >= self.settings.after_verdicts:
            return Trigger.VERDICTS
        every = self.settings.every_hours
        if every is not None and new and (last is None or now - last.asked_at >= timedelta(hours=every)):
            return Trigger.SCHEDULE
        return None
