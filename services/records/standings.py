"""How flagged frames stand in the review, for one person: the one SELECT that queue, claims and verdicts all read.

A frame has a chain of first reviewers' verdicts and, where it was drawn for it, one of second ones; the last of a chain, which nothing
supersedes, is the current one. A frame is hidden from a person while it is a blind check to them: one drawn from passed frames that nobody
has answered, or one whose second answer is missing and whose first was somebody else's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from services.contract.inspection import Calibration, Inspection
from services.contract.verdict import Answer, Verdict
from services.records.models import CalibrationRow, ClaimRow, InspectionRow, VerdictRow

BLIND_CHECK = "blind-check"
Query = Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Claim:
    frame_id: str
    user: str
    claimed_at: datetime
    expires_at: datetime

    def holds(self, now: datetime) -> bool:
        return self.expires_at > now


@dataclass(frozen=True, slots=True)
class Standing:
    """One frame, as it stands for one person."""

    inspection: Inspection
    calibration: Calibration | None
    """By which it was judged; None where that is no longer known."""
    claim: Claim | None
    """Expired ones too."""
    first: Verdict | None
    """Current one of the first reviewers; a withdrawn one is no answer."""
    second: Verdict | None
    open: bool
    """This person may answer it."""
    hidden: bool
    """A blind check to this person: neither score nor map, nor what others said."""
    has_answered: bool
    """This person gave a verdict on it before, so they have seen it all."""

    @property
    def frame_id(self) -> str:
        return self.inspection.frame_id

    @property
    def answer(self) -> Verdict | None:
        """What counts now."""
        return self.first if self.first is not None and self.first.answer is not Answer.WITHDRAWN else None


class Stand:
    """The SELECT for one person, and the columns that conditions and orders are made of."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.first, self.second = aliased(VerdictRow), aliased(VerdictRow)
        self.answered = _answered(self.first)
        self._has_answered = self._gave(any_chain=True)
        self.wants_second = and_(self.answered, self.first.wants_second, ~_answered(self.second), ~self._gave(any_chain=False))
        self.open = or_(~self.answered, self.wants_second)
        self.hidden = or_(and_(~self.answered, func.coalesce(InspectionRow.reason, "") == BLIND_CHECK), self.wants_second)

    def select(self, *more: ColumnElement[Any]) -> Query:
        """Frames whose picture was kept. Rows are for `standing_of`; what is asked for beside comes after it."""
        columns = (self.first.record, self.second.record, ClaimRow, CalibrationRow, self.open, self.hidden, self._has_answered)
        return self.joined(select(InspectionRow.record, *columns, *more)).where(InspectionRow.frame_path.is_not(None))

    def joined(self, query: Query) -> Query:
        calibration = and_(CalibrationRow.id == InspectionRow.calibration_id, CalibrationRow.line_id == InspectionRow.line_id)
        return (
            query.select_from(InspectionRow)
            .outerjoin(self.first, _current(self.first, second=False))
            .outerjoin(self.second, _current(self.second, second=True))
            .outerjoin(ClaimRow, ClaimRow.frame_id == InspectionRow.frame_id)
            .outerjoin(CalibrationRow, calibration)
        )

    def claimed_by_another(self, now: datetime) -> ColumnElement[bool]:
        return and_(ClaimRow.frame_id.is_not(None), ClaimRow.user_name != self.user, ClaimRow.expires_at > now)

    def _gave(self, *, any_chain: bool) -> ColumnElement[bool]:
        """Whether this person is among those who answered."""
        row = aliased(VerdictRow)
        chain = true() if any_chain else row.second.is_(False)
        return exists().where(row.frame_id == InspectionRow.frame_id, row.given_by == self.user, chain).correlate(InspectionRow)


def standings(session: Session, frame_ids: Collection[str], user: str) -> dict[str, Standing]:
    found = [standing_of(row) for row in session.execute(Stand(user).select().where(InspectionRow.frame_id.in_(frame_ids)))]
    return {one.frame_id: one for one in found}


def standing_of(row: Row[*tuple[Any, ...]]) -> Standing:
    record, first, second, claim, calibration, is_open, hidden, has_answered = row[:8]
    return Standing(
        inspection=Inspection.from_json(record.encode()),
        calibration=_calibration(calibration) if calibration is not None else None,
        claim=Claim(claim.frame_id, claim.user_name, claim.claimed_at, claim.expires_at) if claim is not None else None,
        first=Verdict.from_json(first.encode()) if first else None,
        second=Verdict.from_json(second.encode()) if second else None,
        open=bool(is_open),
        hidden=bool(hidden),
        has_answered=bool(has_answered),
    )


def superseded(row: Any) -> ColumnElement[bool]:
    later = aliased(VerdictRow)
    return exists().where(later.supersedes == row.verdict_id).correlate(row)  # in a join's condition too


def _current(row: Any, *, second: bool) -> ColumnElement[bool]:
    return and_(row.frame_id == InspectionRow.frame_id, row.second.is_(second), ~superseded(row))


def _answered(row: Any) -> ColumnElement[bool]:
    """Never NULL, so that it may be negated."""
    return and_(row.verdict_id.is_not(None), func.coalesce(row.answer, "") != Answer.WITHDRAWN.value)


def _calibration(row: CalibrationRow) -> Calibration:
    return Calibration(calibration_id=row.id, review=row.review, fail=row.fail, map_threshold=row.map_threshold)
