"""History as one caller may see it: rows of Parquet with what the records hide from them, and with the verdicts that count now."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self, TypeVar

from services.contract.inspection import Inspection
from services.contract.names import FrameId
from services.contract.settings import Settings
from services.contract.verdict import Verdict
from services.history.reader import Count, Extent, HistoryReader, Row
from services.history.search import After, Search
from services.records.database import Database
from services.records.disclosure import Disclosure, Span

AT_ONCE = 2
"""Searches that run beside each other; more wait. Each may take what the settings say of memory and time."""
EXPORTED_AT_ONCE = 1000

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Seen:
    """One inspection, as the caller may see it, and what people say of it."""

    row: Row
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Seen]
    after: After | None
    """Where the next one goes on; None: this was the last."""


class HistoryDesk:
    """In threads of its own, so that a long search holds up nobody else. Raises HistoryError and RecordsError."""

    def __init__(self, reader: HistoryReader, disclosure: Disclosure) -> None:
        self._reader, self._disclosure = reader, disclosure
        self._threads = ThreadPoolExecutor(AT_ONCE, "history")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Nothing is opened before it is used."""
        return cls(HistoryReader(settings.history_path, settings.history), Disclosure(Database(settings.records_url)))

    async def extent(self) -> Extent:
        return await self._run(self._reader.extent)

    async def page(self, user: str, search: Search, *, after: After | None = None, limit: int) -> Page:
        return await self._run(partial(self._page, user, search, after, limit))

    async def pages(self, user: str, search: Search) -> AsyncIterator[list[Seen]]:
        """All of it, a bounded page at a time."""
        after: After | None = None
        while True:
            page = await self.page(user, search, after=after, limit=EXPORTED_AT_ONCE)
            yield page.rows
            if (after := page.after) is None:
                return

    async def counts(self, user: str, search: Search, by: Literal["hour", "day"]) -> list[Count]:
        return await self._run(lambda: self._reader.counts(search, self._disclosure.known(user, _span(search)), by))

    async def answered(self, user: str, search: Search) -> Search:
        """The same search, of frames alone that people have answered."""
        found = await self._run(partial(self._disclosure.answered, user, _span(search)))
        return replace(search, frame_ids=tuple(found))

    async def find(self, identity: FrameId) -> Inspection | None:
        return await self._run(partial(self._reader.find, str(identity), identity.line))

    async def verdict(self, user: str, frame_id: str) -> Verdict | None:
        return (await self._run(partial(self._disclosure.said, user, [frame_id]))).get(frame_id)

    def _page(self, user: str, search: Search, after: After | None, limit: int) -> Page:
        known = self._disclosure.known(user, _span(search))  # first: what is answered meanwhile stays hidden, not the other way round
        rows = self._reader.page(search, known, after=after, limit=limit + 1)
        shown, more = rows[:limit], len(rows) > limit
        said = self._disclosure.said(user, [row["frame_id"] for row in shown if not row["hidden"]])
        last = After.of(shown[-1]["inspected_at"], shown[-1]["frame_id"]) if more else None
        return Page([Seen(row, said.get(row["frame_id"])) for row in shown], last)

    async def _run(self, ask: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)


def _span(search: Search) -> Span:
    return Span(search.line, search.since, search.until)
