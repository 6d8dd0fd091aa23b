"""What judges each line now: the lines' `active` values in Redis, cached and read again every 200 ms.

Redis away, or emptied: the last known value holds. A line nobody ever said anything of is waited for; once Redis has answered
without it for a minute, the line is one that Loupe does not have, and its frames are recorded.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from services.contract.inspection import Active
from services.inspection.waits import Waits

log = logging.getLogger(__name__)

REFRESH_S = 0.2
UNKNOWN_GRACE_S = 60.0
Fetch = Callable[[Sequence[str]], Awaitable[dict[str, Active]]]
FetchWatched = Callable[[Sequence[str]], Awaitable[set[str]]]


class Activations:
    """The cached view; `run` keeps it fresh."""

    def __init__(self, fetch: Fetch, fetch_watched: FetchWatched, waits: Waits, *, grace_s: float = UNKNOWN_GRACE_S) -> None:
        self._fetch, self._fetch_watched, self._waits, self._grace_s = fetch, fetch_watched, waits, grace_s
        self._known: dict[str, Active] = {}
        self._watched: set[str] = set()
        self._missing_since: dict[str, float | None] = {}
        self._changed = asyncio.Condition()
        self._asked = asyncio.Event()

    async def run(self) -> None:
        while True:
            await self._refresh()
            self._asked.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), REFRESH_S)

    def is_watched(self, line: str) -> bool:
        return line in self._watched

    async def of(self, lines: Iterable[str]) -> dict[str, Active]:
        """What judges these lines; waits for those never heard of."""
        wanted = set(lines)
        unknown = wanted - self._known.keys()
        if unknown:
            for line in unknown:
                self._missing_since.setdefault(line, None)
            self._asked.set()
            reason = f"what judges {', '.join(sorted(unknown))} (not yet in Redis, or Redis is away)"
            await self._waits.until(reason, self._heard_of(unknown))
        return {line: self._known[line] for line in wanted}

    async def _heard_of(self, lines: set[str]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: lines <= self._known.keys())

    async def _refresh(self) -> None:
        lines = sorted(self._known.keys() | self._missing_since.keys())
        if not lines:
            return
        try:
            found = await self._fetch(lines)
            self._watched = await self._fetch_watched(lines)
        except Exception as error:  # whatever Redis or its client come up with: the cached values hold
            log.debug("activations: %s", error)
            return
        self._learn(found)
        async with self._changed:
            self._changed.notify_all()

    def _learn(self, found: dict[str, Active]) -> None:
        for line, active in found.items():
            if active != self._known.get(line):
                log.info("line %s%s is judged by model %s, calibration %s%s", line, *_words(active))
            self._known[line] = active
            self._missing_since.pop(line, None)
        for line in self._missing_since.keys() - found.keys():
            self._give_up(line, time.monotonic())

    def _give_up(self, line: str, now: float) -> None:
        since = self._missing_since[line] or now
        self._missing_since[line] = since
        if now - since > self._grace_s and line not in self._known:
            log.warning("line %s: Redis knows nothing of it for %.0f s, its frames are recorded", line, self._grace_s)
            self._known[line] = Active(line=line)


def _words(active: Active) -> tuple[str, str | None, str | None, str]:
    product = f" (product {active.product})" if active.product else ""
    return product, active.model_version, active.calibration.calibration_id if active.calibration else None, " (paused)" * active.paused
