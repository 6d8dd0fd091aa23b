"""What is to be reviewed, in which order, and what has been said: reads only."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, or_, select

from services.contract.inspection import Decision
from services.contract.verdict import Answer, Verdict
from services.records.database import Database
from services.records.models import CalibrationRow, InspectionRow, SkipRow, VerdictRow
from services.records.standings import Stand, Standing, standing_of, standings, superseded

NEVER_ODDS = 1e-9
"""Scores and thresholds of 0 and 1 have no log-odds; they are taken to be this close to them."""
LAST = 1e300


class Order(StrEnum):
    UNCERTAINTY = "uncertainty"
    """The score's distance from the nearest threshold of the calibration that judged it, in log-odds; the least certain first."""
    SEVERITY = "severity"
    """The highest score first."""
    OLDEST = "oldest"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which frames. Whatever would tell of a blind check's score leaves blind checks out."""

    state: Literal["open", "answered"] = "open"
    line: str | None = None
    camera: str | None = None
    reason: Literal["flagged", "recorded", "blind"] | None = None
    decision: Decision | None = None
    score_from: float | None = None
    score_to: float | None = None
    defect_class: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Of `captured_at`; `until` is not within."""
    skipped: bool = False
    """With those that this person skipped."""


class After(NamedTuple):
    """Where the page before this one ended."""

    place: float | datetime
    frame_id: str


@dataclass(frozen=True, slots=True)
class Placed:
    standing: Standing
    place: After


@dataclass(frozen=True, slots=True)
class LineCount:
    line: str
    open: int
    blind: int
    """To be answered blind; not in `open`."""
    claimed: int
    """By others; of both."""
    skipped: int
    """By this person; of both."""
    answered: int


@dataclass(frozen=True, slots=True)
class Given:
    """A verdict with its place in the order in which all were given."""

    id: int
    verdict: Verdict
    current: bool


class ReviewQueue:
    """Raises RecordsError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, user: str, wanted: Filter, order: Order, *, after: After | None = None, limit: int) -> list[Placed]:
        stand = Stand(user)
        place = _place(stand, order)
        query = stand.select(place).where(*_conditions(stand, wanted))
        if after is not None:
            query = query.where(_beyond(place, order, after))
        query = query.order_by(*(column.desc() if order is Order.NEWEST else column.asc() for column in (place, InspectionRow.frame_id))).limit(limit)
        with self._database.reading() as session:
            found = [(standing_of(row), row[-1]) for row in session.execute(query)]
        return [Placed(standing, After(at, standing.frame_id)) for standing, at in found]

    def candidates(self, user: str, wanted: Filter, order: Order, *, now: datetime, blind: bool, besides: Collection[str] = (), limit: int) -> Sequence[str]:
        """Frames that this person might open next: not with anybody else."""
        stand = Stand(user)
        query = stand.joined(select(InspectionRow.frame_id)).where(InspectionRow.frame_path.is_not(None), *_conditions(stand, wanted))
        query = query.where(~stand.claimed_by_another(now), stand.hidden if blind else ~stand.hidden, InspectionRow.frame_id.not_in(besides))
        place = _place(stand, order)
        with self._database.reading() as session:
            return session.scalars(query.order_by(place.desc() if order is Order.NEWEST else place, InspectionRow.frame_id).limit(limit)).all()

    def standing(self, frame_id: str, user: str) -> Standing | None:
        with self._database.reading() as session:
            return standings(session, [frame_id], user).get(frame_id)

    def hidden(self, frame_ids: Collection[str], user: str) -> dict[str, bool]:
        """Whether each is a blind check to this person; those that nobody flagged are missing."""
        stand = Stand(user)
        query = stand.joined(select(InspectionRow.frame_id, stand.hidden)).where(InspectionRow.frame_id.in_(frame_ids))
        with self._database.reading() as session:
            return {frame_id: bool(hidden) for frame_id, hidden in session.execute(query)}

    def counts(self, user: str, *, now: datetime) -> list[LineCount]:
        stand = Stand(user)
        skipped = _skipped_by(user)
        columns = (
            and_(stand.open, ~stand.hidden),
            and_(stand.open, stand.hidden),
            and_(stand.open, stand.claimed_by_another(now)),
            and_(stand.open, skipped),
            stand.answered,
        )
        query = stand.joined(select(InspectionRow.line_id, *(func.sum(case((one, 1), else_=0)) for one in columns)))
        with self._database.reading() as session:
            rows = session.execute(query.where(InspectionRow.frame_path.is_not(None)).group_by(InspectionRow.line_id).order_by(InspectionRow.line_id))
            return [LineCount(row[0], *map(int, row[1:])) for row in rows]

    def history(self, frame_id: str) -> list[Given]:
        """All that was said of a frame, oldest first."""
        query = select(VerdictRow.id, VerdictRow.record, superseded(VerdictRow)).where(VerdictRow.frame_id == frame_id).order_by(VerdictRow.id)
        with self._database.reading() as session:
            return [_given(*row) for row in session.execute(query)]

    def verdicts(self, user: str, *, line: str | None = None, given_by: str | None = None, after: int = 0, limit: int) -> list[Given]:
        """In the order in which they were given; without those of frames that this person has yet to answer blind."""
        stand, row = Stand(user), VerdictRow
        query = stand.joined(select(row.id, row.record, superseded(row))).join(row, row.frame_id == InspectionRow.frame_id).where(row.id > after, ~stand.hidden)
        for condition in (None if line is None else row.line_id == line, None if given_by is None else row.given_by == given_by):
            query = query if condition is None else query.where(condition)
        with self._database.reading() as session:
            return [_given(*found) for found in session.execute(query.order_by(row.id).limit(limit))]

    def answers(self, *, line: str | None = None, since: datetime | None = None) -> list[tuple[Verdict, Verdict | None]]:
        """What counts now of each answered frame: the first reviewer's and, where there is one, the second's."""
        stand = Stand("")
        query = stand.joined(select(stand.first.record, stand.second.record)).where(stand.answered)
        if line is not None:
            query = query.where(InspectionRow.line_id == line)
        if since is not None:
            query = query.where(stand.first.given_at >= since)
        with self._database.reading() as session:
            found = [(Verdict.from_json(first.encode()), Verdict.from_json(second.encode()) if second else None) for first, second in session.execute(query)]
        return [(first, second if second is not None and second.answer is not Answer.WITHDRAWN else None) for first, second in found]

    def good_ones(self, user: str, line: str, camera: str, *, limit: int) -> list[Verdict]:
        """Frames of one camera that people called good, newest first."""
        stand = Stand(user)
        query = stand.joined(select(stand.first.record)).where(stand.answered, ~stand.hidden, stand.first.answer == Answer.GOOD.value)
        query = query.where(InspectionRow.line_id == line, InspectionRow.camera_id == camera).order_by(stand.first.id.desc()).limit(limit)
        with self._database.reading() as session:
            return [Verdict.from_json(record.encode()) for record in session.scalars(query)]


def _conditions(stand: Stand, wanted: Filter) -> list[ColumnElement[bool]]:
    row, shown = InspectionRow, ~stand.hidden
    optional: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        "line": lambda line: row.line_id == line,
        "camera": lambda camera: row.camera_id == camera,
        "reason": lambda reason: stand.hidden if reason == "blind" else and_(shown, row.reason == reason),
        "decision": lambda decision: and_(shown, row.decision == decision),
        "score_from": lambda least: and_(shown, row.score >= least),
        "score_to": lambda most: and_(shown, row.score <= most),
        "defect_class": lambda name: and_(shown, stand.first.defect_class == name),
        "since": lambda since: row.captured_at >= since,
        "until": lambda until: row.captured_at < until,
    }
    given = {name: getattr(wanted, name) for name in optional}
    state = stand.open if wanted.state == "open" else and_(stand.answered, shown)
    skipped = [] if wanted.skipped or wanted.state == "answered" else [~_skipped_by(stand.user)]
    return [state, *skipped, *(optional[name](value) for name, value in given.items() if value is not None)]


def _place(stand: Stand, order: Order) -> ColumnElement[Any]:
    """Blind checks come last where the order goes by the score: their place must not tell it."""
    if order in (Order.OLDEST, Order.NEWEST):
        return InspectionRow.written_at.expression
    by_score = -InspectionRow.score if order is Order.SEVERITY else _uncertainty()
    return case((stand.hidden, LAST), else_=func.coalesce(by_score, LAST))


def _uncertainty() -> ColumnElement[Any]:
    """e to the distance in log-odds: it grows with it, and no database needs a logarithm."""
    to_review, to_fail = (_ratio(_odds(InspectionRow.score.expression), _odds(column)) for column in (CalibrationRow.review, CalibrationRow.fail))
    return case((to_review <= to_fail, to_review), else_=to_fail)


def _odds(share: Any) -> ColumnElement[Any]:
    within = case((share < NEVER_ODDS, literal(NEVER_ODDS)), (share > 1 - NEVER_ODDS, literal(1 - NEVER_ODDS)), else_=share)
    return within / (1.0 - within)


def _ratio(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((one >= other, one / other), else_=other / one)


def _beyond(place: ColumnElement[Any], order: Order, after: After) -> ColumnElement[bool]:
    if order is Order.NEWEST:
        return or_(place < after.place, and_(place == after.place, InspectionRow.frame_id < after.frame_id))
    return or_(place > after.place, and_(place == after.place, InspectionRow.frame_id > after.frame_id))


def _skipped_by(user: str) -> ColumnElement[bool]:
    return exists().where(SkipRow.frame_id == InspectionRow.frame_id, SkipRow.user_name == user).correlate(InspectionRow)


def _given(number: int, record: str, is_superseded: bool) -> Given:
    return Given(number, Verdict.from_json(record.encode()), not is_superseded)
