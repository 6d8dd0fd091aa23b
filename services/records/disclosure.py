"""What the history may tell one person: which frames are blind checks to them, and what counts now of those that are not."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select

from services.contract.verdict import Answer, Verdict
from services.records.database import Database
from services.records.models import InspectionRow
from services.records.standings import BLIND_CHECK, Query, Stand

AT_ONCE = 500
"""Frame ids in one SELECT: databases bound how many parameters one has."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which frames are asked about; None: any. Times are of the inspection."""

    line: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        given = (
            None if self.line is None else InspectionRow.line_id == self.line,
            None if self.since is None else InspectionRow.written_at >= self.since,
            None if self.until is None else InspectionRow.written_at < self.until,
        )
        return [one for one in given if one is not None]


class Disclosure:
    """Raises RecordsError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, user: str, span: Span) -> dict[str, bool]:
        """Frame -> whether it is a blind check to this person, for those drawn for blind checks and those whose second answer is missing."""
        stand = Stand(user)
        drawn = InspectionRow.reason == BLIND_CHECK
        query = stand.joined(select(InspectionRow.frame_id, stand.hidden)).where(or_(drawn, stand.wants_second), *span.conditions())
        with self._database.reading() as session:
            return {frame_id: bool(hidden) for frame_id, hidden in session.execute(query)}

    def hidden(self, user: str, frame_ids: Collection[str]) -> frozenset[str]:
        """Those of these frames that are blind checks to this person."""
        stand, found = Stand(user), set[str]()
        for some in _chunks(frame_ids):
            query = stand.joined(select(InspectionRow.frame_id)).where(stand.hidden, InspectionRow.frame_id.in_(some))
            with self._database.reading() as session:
                found.update(session.scalars(query))
        return frozenset(found)

    def said(self, user: str, frame_ids: Collection[str]) -> dict[str, Verdict]:
        """What counts now of these frames, where this person may see it."""
        found = dict[str, Verdict]()
        for some in _chunks(frame_ids):
            found |= {one.frame_id: one for one in self._verdicts(user, InspectionRow.frame_id.in_(some))}
        return found

    def answered(self, user: str, span: Span) -> dict[str, Answer]:
        """All frames with an answer that this person may see."""
        stand = Stand(user)
        query = _shown(stand.joined(select(InspectionRow.frame_id, stand.first.answer)), stand).where(*span.conditions())
        with self._database.reading() as session:
            return {frame_id: Answer(answer) for frame_id, answer in session.execute(query)}

    def _verdicts(self, user: str, condition: ColumnElement[bool]) -> list[Verdict]:
        stand = Stand(user)
        with self._database.reading() as session:
            return [Verdict.from_json(record.encode()) for record in session.scalars(_shown(stand.joined(select(stand.first.record)), stand).where(condition))]


def _chunks(frame_ids: Collection[str]) -> Iterator[list[str]]:
    asked = list(frame_ids)
    yield from (asked[start : start + AT_ONCE] for start in range(0, len(asked), AT_ONCE))


def _shown(query: Query, stand: Stand) -> Query:
    return query.where(stand.answered, ~stand.hidden)
