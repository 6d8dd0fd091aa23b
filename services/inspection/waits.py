"""What inspection waits for just now, in words, for the pages and the log."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

log = logging.getLogger(__name__)

Result = TypeVar("Result")
PATIENCE_S = 3.0
"""What takes longer than this is called waiting."""


class Waits:
    """Reasons that somebody waits for at this moment; the same reason may be waited for by many."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()

    def current(self) -> list[str]:
        return sorted(self._reasons)

    @contextmanager
    def on(self, reason: str) -> Iterator[None]:
        if reason not in self._reasons:
            log.warning("waiting for %s", reason)
        self._reasons[reason] += 1
        try:
            yield
        finally:
            self._reasons[reason] -= 1
            if not self._reasons[reason]:
                del self._reasons[reason]
                log.info("no longer waiting for %s", reason)

    async def pause(self, reason: str, seconds: float) -> None:
        with self.on(reason):
            await asyncio.sleep(seconds)

    async def until(self, reason: str, awaitable: Awaitable[Result], *, patience_s: float = PATIENCE_S) -> Result:
        """Awaits as long as it takes, and says so when that is long."""
        task = asyncio.ensure_future(awaitable)
        try:
            done, _ = await asyncio.wait({task}, timeout=patience_s)
            if not done:
                with self.on(reason):
                    await asyncio.wait({task})
        finally:
            if not task.done():
                task.cancel()
        return task.result()
