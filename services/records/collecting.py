"""Frames that a line without a model recorded -> what people say of each: it shows a good part, or is thrown out. The good ones teach its first model.

A picture counts once, however many frames show it, and one that was thrown out once teaches nothing: a folder that is read in a circle brings it again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.orm import Session

from services.records.audit import Actor, audited
from services.records.database import Database
from services.records.errors import UnknownLineError
from services.records.models import CollectedRow, LineRow


@dataclass(frozen=True, slots=True)
class Recorded:
    """A frame that somebody may say something of: where its picture lies, and the group of those that show the same part."""

    frame_id: str
    path: str
    group: str


@dataclass(frozen=True, slots=True)
class Choice:
    kept: bool
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """Different pictures."""

    kept: int
    dropped: int


class Collecting:
    """Raises RecordsError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def choose(self, line: str, *, keep: Sequence[Recorded], drop: Sequence[Recorded], by: Actor) -> Tally:
        """What was said before of these frames no longer counts. Raises UnknownLineError."""
        with self._database.writing() as session:
            if session.get(LineRow, line, with_for_update=True) is None:
                raise UnknownLineError(f"line {line!r}: not known")
            moment = datetime.now(UTC)
            chosen = [_row(line, one, one in keep, by.name, moment) for one in (*keep, *drop)]
            session.execute(delete(CollectedRow).where(CollectedRow.line_id == line, CollectedRow.frame_id.in_([row.frame_id for row in chosen])))
            session.add_all(chosen)
            audited(session, by, "line.collect", line, {"kept": len(keep), "dropped": len(drop)})
            session.flush()
            return _tally(session, line)

    def choices(self, line: str, frame_ids: Collection[str]) -> Mapping[str, Choice]:
        """Of those that anybody said something of."""
        query = select(CollectedRow).where(CollectedRow.line_id == line, CollectedRow.frame_id.in_(frame_ids))
        with self._database.reading() as session:
            return {row.frame_id: Choice(row.kept, row.chosen_by, row.chosen_at) for row in session.scalars(query)}

    def tally(self, line: str) -> Tally:
        with self._database.reading() as session:
            return _tally(session, line)

    def good(self, line: str) -> Mapping[str, str]:
        """The archive's path of each good picture -> its group."""
        query = select(CollectedRow.frame_path, CollectedRow.part_group).where(_good(line)).order_by(CollectedRow.frame_path, CollectedRow.part_group)
        with self._database.reading() as session:
            return {row.frame_path: row.part_group for row in session.execute(query)}

    def pinned(self) -> set[str]:
        """Archive paths of what was kept, on all lines."""
        with self._database.reading() as session:
            return set(session.scalars(select(CollectedRow.frame_path).where(CollectedRow.kept)))


def _good(line: str) -> ColumnElement[bool]:
    dropped = select(CollectedRow.frame_path).where(_thrown_out(line))
    return and_(CollectedRow.line_id == line, CollectedRow.kept, CollectedRow.frame_path.not_in(dropped))


def _thrown_out(line: str) -> ColumnElement[bool]:
    return and_(CollectedRow.line_id == line, CollectedRow.kept.is_(False))


def _tally(session: Session, line: str) -> Tally:
    pictures = select(func.count(CollectedRow.frame_path.distinct()))
    return Tally(kept=session.scalar(pictures.where(_good(line))) or 0, dropped=session.scalar(pictures.where(_thrown_out(line))) or 0)


def _row(line: str, one: Recorded, kept: bool, by: str, moment: datetime) -> CollectedRow:
    return CollectedRow(line_id=line, frame_id=one.frame_id, kept=kept, frame_path=one.path, part_group=one.group, chosen_by=by, chosen_at=moment)
