"""All verdicts, and flagged inspections that nobody has answered: what a dataset is built from."""

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import exists, func, select

from services.contract.inspection import Inspection
from services.contract.verdict import Verdict
from services.records.database import Database
from services.records.models import InspectionRow, VerdictRow

AT_ONCE = 1000
"""Rows read in one transaction: a reader that stays open keeps SQLite's log from shrinking."""


class Answers:
    """Reads only. Raises RecordsError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def verdicts(self, lines: Collection[str]) -> Iterator[Verdict]:
        """Every one that was given on these lines, superseded and withdrawn ones too, in the order in which they were."""
        after = 0
        while True:
            query = select(VerdictRow.id, VerdictRow.record).where(VerdictRow.line_id.in_(lines), VerdictRow.id > after).order_by(VerdictRow.id).limit(AT_ONCE)
            with self._database.reading() as session:
                found = [(number, record) for number, record in session.execute(query)]
            yield from (Verdict.from_json(record.encode()) for _, record in found)
            if len(found) < AT_ONCE:
                return
            after = found[-1][0]

    def given_since(self, line: str, moment: datetime | None) -> int:
        """How many first reviewers' verdicts a line got after it, or ever."""
        query = select(func.count()).where(VerdictRow.line_id == line, VerdictRow.second.is_(False))
        with self._database.reading() as session:
            return session.scalar(query if moment is None else query.where(VerdictRow.given_at > moment)) or 0

    def unanswered(self, lines: Collection[str], reason: str) -> Iterator[Inspection]:
        """Inspections whose pictures were kept for this reason and that nobody has said anything of."""
        after = ""
        answered = exists().where(VerdictRow.frame_id == InspectionRow.frame_id)
        wanted = select(InspectionRow.frame_id, InspectionRow.record).where(InspectionRow.line_id.in_(lines), InspectionRow.reason == reason, ~answered)
        while True:
            query = wanted.where(InspectionRow.frame_id > after).order_by(InspectionRow.frame_id).limit(AT_ONCE)
            with self._database.reading() as session:
                found = [(frame_id, record) for frame_id, record in session.execute(query)]
            yield from (Inspection.from_json(record.encode()) for _, record in found)
            if len(found) < AT_ONCE:
                return
            after = found[-1][0]
