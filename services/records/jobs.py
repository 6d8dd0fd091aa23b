"""Work for the trainer that was asked for: queued, worked on under a lease, ended. One of a line and kind is open at a time; asking again joins it.

A job outlives whoever works on it: when its lease ends without a word, the next one takes it up with the plan that was settled and the
same id, under which its checkpoints lie.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from services.records.audit import Actor, audited
from services.records.database import Database
from services.records.errors import LostLeaseError, UnknownJobError, UnknownLineError
from services.records.models import JobRow, LineRow

SHOWN = 50


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        return self in OPEN


OPEN = (JobState.QUEUED, JobState.RUNNING)


class JobKind(StrEnum):
    RETRAIN = "retrain"
    """The line's model learns from verdicts."""
    FIRST = "first"
    """A line without a model gets its first one, from good frames."""
    BACKTEST = "backtest"
    """How a candidate would have decided the line's latest frames."""


class Trigger(StrEnum):
    CLICK = "click"
    VERDICTS = "verdicts"
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    line: str
    kind: JobKind
    trigger: Trigger
    state: JobState
    asked_by: str
    asked_at: datetime
    attempts: int
    """How often somebody began or took it up."""
    started_at: datetime | None
    ended_at: datetime | None
    cancel_asked_by: str | None
    plan: dict[str, Any]
    progress: dict[str, Any]
    result: dict[str, Any]
    error: str | None


class Jobs:
    """Raises RecordsError. `now` is asked for each moment, UTC."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database, self._now = database, now

    def ask(self, line: str, trigger: Trigger, by: Actor, *, kind: JobKind = JobKind.RETRAIN, plan: Mapping[str, Any] | None = None) -> tuple[Job, bool]:
        """The open job of this kind of the line, and whether it is a new one; only a new one goes by this plan. Raises UnknownLineError."""
        with self._database.writing() as session:
            if session.get(LineRow, line, with_for_update=True) is None:
                raise UnknownLineError(f"line {line!r}: not known")
            found = session.scalar(select(JobRow).where(JobRow.line_id == line, JobRow.kind == kind, JobRow.state.in_(OPEN)))
            if found is not None:
                audited(session, by, f"{kind}.join", found.id, {"trigger": trigger})
                return _job(found), False
            row = JobRow(
                id=f"{line}-{uuid.uuid4().hex[:12]}",
                line_id=line,
                kind=kind,
                trigger=trigger,
                state=JobState.QUEUED,
                asked_by=by.name,
                asked_at=self._now(),
                attempts=0,
                plan=dict(plan or {}),
                progress={},
                result={},
            )
            session.add(row)
            audited(session, by, f"{kind}.ask", row.id, {"trigger": trigger})
            return _job(row), True

    def claim(self, owner: str, lease: timedelta) -> Job | None:
        """The job to work on next, the caller's until the lease ends: one that was left alone, else the one that has waited longest."""
        with self._database.writing() as session:
            now = self._now()
            left_alone = and_(JobRow.state == JobState.RUNNING, JobRow.leased_until < now)
            query = select(JobRow).where(or_(left_alone, JobRow.state == JobState.QUEUED)).order_by(JobRow.state.desc(), JobRow.asked_at, JobRow.id)
            row = session.scalar(query.limit(1).with_for_update(skip_locked=True))
            if row is None:
                return None
            row.state, row.owner, row.leased_until = JobState.RUNNING, owner, now + lease
            row.attempts += 1
            row.started_at = row.started_at or now
            return _job(row)

    def settle(self, job: str, owner: str, plan: Mapping[str, Any]) -> None:
        """Keeps what a job goes by. Raises LostLeaseError."""
        with self._database.writing() as session:
            self._held(session, job, owner).plan = dict(plan)

    def renew(self, job: str, owner: str, lease: timedelta, progress: Mapping[str, Any]) -> bool:
        """Keeps the job the caller's, and says whether somebody asked to cancel it. Raises LostLeaseError."""
        with self._database.writing() as session:
            row = self._held(session, job, owner)
            row.leased_until, row.progress = self._now() + lease, dict(progress)
            return row.cancel_asked_by is not None

    def finish(self, job: str, owner: str, result: Mapping[str, Any]) -> None:
        """Raises LostLeaseError."""
        self._end(job, owner, JobState.FINISHED, result=dict(result))

    def fail(self, job: str, owner: str, error: str) -> None:
        """Raises LostLeaseError."""
        self._end(job, owner, JobState.FAILED, error=error)

    def stop(self, job: str, owner: str) -> None:
        """What was asked to be cancelled has ended. Raises LostLeaseError."""
        self._end(job, owner, JobState.CANCELLED)

    def cancel(self, job: str, by: Actor) -> Job:
        """At once while it is queued; else as soon as whoever works on it hears of it. Raises UnknownJobError."""
        with self._database.writing() as session:
            row = _existing(session, job, lock=True)
            if JobState(row.state).open and row.cancel_asked_by is None:
                row.cancel_asked_by = by.name
                audited(session, by, f"{row.kind}.cancel", job)
                if row.state == JobState.QUEUED:
                    row.state, row.ended_at = JobState.CANCELLED, self._now()
            return _job(row)

    def job(self, job: str) -> Job:
        """Raises UnknownJobError."""
        with self._database.reading() as session:
            return _job(_existing(session, job))

    def jobs(self, line: str | None = None, kind: JobKind | None = None, *, limit: int = SHOWN) -> tuple[Job, ...]:
        """Newest first; of one line or all, of one kind or all."""
        wanted = {"line_id": line, "kind": kind}
        query = select(JobRow).filter_by(**{name: value for name, value in wanted.items() if value is not None})
        with self._database.reading() as session:
            return tuple(_job(row) for row in session.scalars(query.order_by(JobRow.asked_at.desc(), JobRow.id).limit(limit)))

    def queued_before(self, job: Job) -> int:
        """How many wait, or are worked on, in front of it."""
        with self._database.reading() as session:
            count = select(func.count()).where(JobRow.state.in_(OPEN), JobRow.asked_at < job.asked_at)
            return session.scalar(count) or 0

    def _end(self, job: str, owner: str, state: JobState, *, result: dict[str, Any] | None = None, error: str | None = None) -> None:
        with self._database.writing() as session:
            row = self._held(session, job, owner)
            row.state, row.ended_at, row.result, row.error = state, self._now(), result or {}, error
            row.owner = row.leased_until = None

    @staticmethod
    def _held(session: Session, job: str, owner: str) -> JobRow:
        """A lease that ran out is still held as long as nobody else took the job."""
        row = session.get(JobRow, job, with_for_update=True)
        if row is None or row.owner != owner or row.state != JobState.RUNNING:
            raise LostLeaseError(f"job {job}: somebody else works on it, or it has ended")
        return row


def _existing(session: Session, job: str, *, lock: bool = False) -> JobRow:
    row = session.get(JobRow, job, with_for_update=lock)
    if row is None:
        raise UnknownJobError(f"job {job!r}: not known")
    return row


def _job(row: JobRow) -> Job:
    return Job(
        id=row.id,
        line=row.line_id,
        kind=JobKind(row.kind),
        trigger=Trigger(row.trigger),
        state=JobState(row.state),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        attempts=row.attempts,
        started_at=row.started_at,
        ended_at=row.ended_at,
        cancel_asked_by=row.cancel_asked_by,
        plan=row.plan,
        progress=row.progress,
        result=row.result,
        error=row.error,
    )
