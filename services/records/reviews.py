"""What people do about flagged frames: claims, skips, verdicts with their audit and outbox rows, golden sets, defect classes. One transaction each.

The frames' rows are locked first, so that of two people who answer one picture at once the second one sees what the first one did.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from services.contract.names import checked_id
from services.contract.verdict import Verdict
from services.records.audit import Actor, audited
from services.records.database import Database
from services.records.errors import UnknownLineError
from services.records.golden import Golden, golden_of, say_golden
from services.records.models import ClaimRow, DefectClassRow, InspectionRow, LineRow, OutboxRow, SkipRow, VerdictRow
from services.records.standings import Claim, Standing, standings


@dataclass(frozen=True, slots=True)
class DefectClass:
    line: str
    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A verdict on its way to Kafka."""

    id: int
    frame_id: str
    record: bytes


class Changes:
    """The open transaction: how the frames stand, and what may be done to them."""

    def __init__(self, session: Session, frame_ids: Collection[str], user: str) -> None:
        self._session, self._user = session, user
        self.standings: Mapping[str, Standing] = standings(session, frame_ids, user)

    def verdict(self, verdict_id: str) -> Verdict | None:
        record = self._session.scalar(select(VerdictRow.record).where(VerdictRow.verdict_id == verdict_id))
        return None if record is None else Verdict.from_json(record.encode())

    def defect_classes(self, line: str) -> tuple[DefectClass, ...]:
        return _classes(self._session, line)

    def claim(self, claim: Claim) -> None:
        self._session.merge(ClaimRow(frame_id=claim.frame_id, user_name=claim.user, claimed_at=claim.claimed_at, expires_at=claim.expires_at))

    def release(self, frame_id: str) -> None:
        self._session.execute(delete(ClaimRow).where(ClaimRow.frame_id == frame_id))

    def skip(self, frame_id: str, at: datetime) -> None:
        self._session.merge(SkipRow(frame_id=frame_id, user_name=self._user, skipped_at=at))
        self.release(frame_id)

    def golden(self, frame_id: str) -> Golden | None:
        """None: it is in no golden set."""
        return golden_of(self._session, frame_id)

    def say_golden(self, golden: Golden, by: Actor, *, kept: bool) -> None:
        """Into its line's golden set, or out of it."""
        say_golden(self._session, golden, self.standings[golden.frame_id].inspection.identity.line, by, kept=kept)

    def give(self, verdict: Verdict, by: Actor, action: str, *, wants_second: bool) -> None:
        """The verdict, its place in the outbox and its audit row; whoever gave it is done with the frame."""
        self._session.add(_row(verdict, wants_second))
        self._session.flush()
        self._session.add(OutboxRow(verdict_id=verdict.verdict_id))
        audited(self._session, by, action, verdict.frame_id, _told(verdict))
        self._session.execute(delete(SkipRow).where(SkipRow.frame_id == verdict.frame_id, SkipRow.user_name == self._user))
        self.release(verdict.frame_id)


class Reviews:
    """Raises RecordsError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def changing(self, frame_ids: Collection[str], user: str) -> Iterator[Changes]:
        """All of it at the end of the block, nothing on an exception. Nobody else changes these frames meanwhile."""
        with self._database.writing() as session:
            # In one order, so that two people with the same pictures cannot wait for each other. SQLite has locked everything already.
            session.execute(select(InspectionRow.frame_id).where(InspectionRow.frame_id.in_(frame_ids)).order_by(InspectionRow.frame_id).with_for_update())
            yield Changes(session, frame_ids, user)

    # Defect classes

    def defect_classes(self, line: str) -> tuple[DefectClass, ...]:
        """Those in use, in the order in which they are offered."""
        with self._database.reading() as session:
            return _classes(session, line)

    def set_defect_classes(self, line: str, classes: Mapping[str, str], *, by: Actor) -> tuple[DefectClass, ...]:
        """Name -> label, in order; those that are missing are retired, since verdicts name them. Raises UnknownLineError, InvalidIdError."""
        with self._database.writing() as session:
            if session.get(LineRow, line) is None:
                raise UnknownLineError(f"line {line!r}: expected one of {list(session.scalars(select(LineRow.id).order_by(LineRow.id)))}")
            for row in session.scalars(select(DefectClassRow).where(DefectClassRow.line_id == line)):
                row.retired = row.name not in classes
            for place, (name, label) in enumerate(classes.items()):
                session.merge(DefectClassRow(line_id=line, name=checked_id(name, "defect class"), label=label, place=place, retired=False))
            audited(session, by, "defect-classes.set", line, dict(classes))
            session.flush()
            return _classes(session, line)

    # The way to Kafka

    def letters(self, limit: int) -> Sequence[Letter]:
        """Verdicts that Kafka does not have yet, in the order in which they were given; of one frame that order is exact."""
        query = select(OutboxRow.id, VerdictRow.frame_id, VerdictRow.record).join(VerdictRow, VerdictRow.verdict_id == OutboxRow.verdict_id)
        with self._database.reading() as session:
            return [Letter(number, frame_id, record.encode()) for number, frame_id, record in session.execute(query.order_by(OutboxRow.id).limit(limit))]

    def delivered(self, letters: Collection[int]) -> None:
        with self._database.writing() as session:
            session.execute(delete(OutboxRow).where(OutboxRow.id.in_(letters)))

    def undelivered(self) -> int:
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(OutboxRow)) or 0

    # What others must keep

    def pinned(self) -> set[str]:
        """Archive paths that verdicts name: their frames and masks."""
        with self._database.reading() as session:
            return {path for row in session.execute(select(VerdictRow.frame_path, VerdictRow.mask_path)) for path in row if path is not None}


def _classes(session: Session, line: str) -> tuple[DefectClass, ...]:
    query = select(DefectClassRow).where(DefectClassRow.line_id == line, DefectClassRow.retired.is_(False)).order_by(DefectClassRow.place)
    return tuple(DefectClass(row.line_id, row.name, row.label) for row in session.scalars(query))


def _row(verdict: Verdict, wants_second: bool) -> VerdictRow:
    same = ("verdict_id", "frame_id", "defect_class", "second", "supersedes", "given_by", "given_at", "frame_path", "mask_path")
    values = {name: getattr(verdict, name) for name in same}
    return VerdictRow(**values, line_id=verdict.identity.line, answer=verdict.answer.value, wants_second=wants_second, record=verdict.to_json().decode())


def _told(verdict: Verdict) -> dict[str, object]:
    """What the audit says of it."""
    told = verdict.model_dump(mode="json", include={"verdict_id", "answer", "defect_class", "mask_source", "supersedes", "blind", "second"})
    return {name: value for name, value in told.items() if value not in (None, False)}
