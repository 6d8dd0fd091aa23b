"""A line's golden set: answered frames that every later model must decide as people did. Rows are only added; the last one of a frame counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session, aliased

from services.records.audit import Actor, audited
from services.records.database import Database
from services.records.models import GoldenRow


@dataclass(frozen=True, slots=True)
class Golden:
    """Who put a frame there, when and why."""

    frame_id: str
    reason: str
    by: str
    at: datetime


class GoldenSets:
    """Reads only; what changes a set is in `services/records/reviews.py`. Raises RecordsError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, line: str) -> Sequence[Golden]:
        """What is in it now, in the order in which it was put there."""
        query = select(GoldenRow).where(GoldenRow.line_id == line, GoldenRow.golden, _last()).order_by(GoldenRow.id)
        with self._database.reading() as session:
            return [_golden(row) for row in session.scalars(query)]

    def find(self, frame_id: str) -> Golden | None:
        """None: it is in no golden set."""
        with self._database.reading() as session:
            return golden_of(session, frame_id)


def golden_of(session: Session, frame_id: str) -> Golden | None:
    """None: it is in no golden set."""
    row = session.scalar(select(GoldenRow).where(GoldenRow.frame_id == frame_id, GoldenRow.golden, _last()))
    return None if row is None else _golden(row)


def say_golden(session: Session, golden: Golden, line: str, by: Actor, *, kept: bool) -> None:
    """Puts it in, or takes it out, with the audit row."""
    row = GoldenRow(frame_id=golden.frame_id, line_id=line, golden=kept, reason=golden.reason, said_by=golden.by, said_at=golden.at)
    session.add(row)
    audited(session, by, "golden.add" if kept else "golden.remove", golden.frame_id, {"reason": golden.reason} if golden.reason else {})


def _last() -> ColumnElement[bool]:
    later = aliased(GoldenRow)
    return ~exists().where(later.frame_id == GoldenRow.frame_id, later.id > GoldenRow.id).correlate(GoldenRow)


def _golden(row: GoldenRow) -> Golden:
    return Golden(row.frame_id, row.reason, row.said_by, row.said_at)
