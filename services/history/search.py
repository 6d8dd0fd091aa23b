"""A question about the history -> conditions in SQL with bound parameters, and which days' files can hold an answer."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, Self

from services.contract.inspection import Decision, Outcome
from services.history.catalog import StoredFile
from services.history.errors import SearchError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CONDITIONS = {
    "line": "line = $line",
    "camera": "camera = $camera",
    "product": "product = $product",
    "part_id": "part_id = $part_id",
    "model_version": "starts_with(model_version, $model_version)",
    "frame_id": "frame_id = $frame_id",
    "outcome": "outcome = $outcome",
    "decision": "decision = $decision",
    "archived_reason": "archived_reason = $archived_reason",
    "score_from": "score >= $score_from",
    "score_to": "score <= $score_to",
    "since": "inspected_at >= $since",
    "until": "inspected_at < $until",
    "frame_ids": "frame_id IN (SELECT frame_id FROM wanted)",
}
"""Of rows as the caller may see them: what is hidden from them is NULL there, and matches nothing."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for; None asks for any. Times are of the inspection; `until` is not within."""

    line: str | None = None
    camera: str | None = None
    product: str | None = None
    part_id: str | None = None
    model_version: str | None = None
    """Its id, or how it begins."""
    frame_id: str | None = None
    outcome: Outcome | None = None
    decision: Decision | None = None
    archived_reason: str | None = None
    """Why its picture was kept."""
    score_from: float | None = None
    score_to: float | None = None
    since: datetime | None = None
    until: datetime | None = None
    frame_ids: tuple[str, ...] | None = None
    """One of these, from the table `wanted`."""

    def given(self) -> dict[str, Any]:
        """What is bound; frame ids, which may be many, are a table of their own."""
        asked = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in asked.items() if value is not None and name != "frame_ids"}

    def conditions(self) -> list[str]:
        return [CONDITIONS[one.name] for one in fields(self) if getattr(self, one.name) is not None]

    def may_be_in(self, file: StoredFile) -> bool:
        return (self.line in (None, file.line)) and self._first_day() <= file.date <= self._last_day()

    def _first_day(self) -> date:
        return self.since.astimezone(UTC).date() if self.since else date.min

    def _last_day(self) -> date:
        return (self.until - timedelta(microseconds=1)).astimezone(UTC).date() if self.until else date.max


class After(NamedTuple):
    """Where the page before this one ended: its last inspection, in microseconds since 1970, and its frame."""

    at: int
    frame_id: str

    def __str__(self) -> str:
        return f"{self.at}.{self.frame_id}"

    @property
    def moment(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.at)

    @classmethod
    def of(cls, inspected_at: datetime, frame_id: str) -> Self:
        return cls((inspected_at - EPOCH) // timedelta(microseconds=1), frame_id)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises SearchError."""
        at, _, frame_id = text.partition(".")
        if not at.isdecimal() or len(at) > 18 or not frame_id:
            raise SearchError(f"after: expected what the page before this one gave as `after`, got {text!r:.80}")
        return cls(int(at), frame_id)


def newest_first(files: Sequence[StoredFile]) -> list[list[StoredFile]]:
    """Files in groups of days, the newest first, each group of more days than the one before: most pages end with the first."""
    days = sorted({one.day for one in files}, reverse=True)
    groups, many = [], 1
    while days:
        taken, days = set(days[:many]), days[many:]
        groups.append([one for one in files if one.day in taken])
        many *= 2
    return groups
