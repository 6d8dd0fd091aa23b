"""Answers in the records and counts in the history -> how well each line was judged, or each shift of a line."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from services.contract.verdict import Verdict
from services.dashboard.parts import Parts
from services.dashboard.shifts import Shifts
from services.history.reader import Count, HistoryReader
from services.history.search import Search
from services.review.agreement import Agreement, Pair, between_reviewers
from services.review.quality import Inspected, Person, Quality, people, quality

Answered = list[tuple[Verdict, Verdict | None]]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Period:
    """When parts were captured; `until` is not within."""

    since: datetime
    until: datetime
    line: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Of one line in the whole period, or in the shift that began at `shift`."""

    line: str
    shift: datetime | None
    quality: Quality
    agreement: Agreement


async def by_line(parts: Parts, period: Period) -> list[Row]:
    """Raises RecordsError, HistoryError."""
    return await asyncio.to_thread(_rows, parts, period, lambda moment: None)


async def by_shift(parts: Parts, period: Period) -> list[Row]:
    """The latest shift first; inspections are counted by the hour in which they were made. Raises RecordsError, HistoryError."""
    return await asyncio.to_thread(_rows, parts, period, Shifts.of(parts.settings.site).start)


async def by_person(parts: Parts, period: Period) -> list[Person]:
    """Raises RecordsError."""
    return people(await asyncio.to_thread(_answered, parts, period))


def _rows(parts: Parts, period: Period, shift: Callable[[datetime], datetime | None]) -> list[Row]:
    lines = [line.id for line in parts.records.lines() if period.line in (None, line.id)]
    answered, reader = _answered(parts, period), HistoryReader(parts.settings.history_path, parts.settings.history)
    rows = []
    for line in lines:
        search = Search(line=line, since=period.since, until=period.until)
        counted = _grouped(reader.counts(search, {}, "hour"), lambda count: shift(count.at))
        said = _grouped((pair for pair in answered if pair[0].identity.line == line), lambda pair: shift(pair[0].captured_at))
        for start in {None: None} if shift(period.since) is None else {**counted, **said}:
            rows.append(_row(line, start, said.get(start, []), counted.get(start, [])))
    return sorted(rows, key=lambda row: (-row.shift.timestamp() if row.shift else 0, row.line))


def _row(line: str, shift: datetime | None, answered: Answered, counted: Iterable[Count]) -> Row:
    pairs = [Pair(first, second) for first, second in answered if second is not None]
    return Row(line, shift, quality([first for first, _ in answered], _inspected(counted)), between_reviewers(pairs, line))


def _inspected(counts: Iterable[Count]) -> Inspected:
    """The history hides what a blind check was decided, but only passed parts are drawn for one."""
    found = list(counts)
    return Inspected(passed=sum(one.passed + one.hidden for one in found), flagged=sum(one.review + one.failed for one in found))


def _answered(parts: Parts, period: Period) -> Answered:
    found = parts.desk.records.answers(line=period.line, since=period.since)  # nobody answers before the part is captured
    return [(first, second) for first, second in found if period.since <= first.captured_at < period.until]


def _grouped(items: Iterable[Item], key: Callable[[Item], datetime | None]) -> dict[datetime | None, list[Item]]:
    groups: dict[datetime | None, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
