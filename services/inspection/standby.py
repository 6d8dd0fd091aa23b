"""Model versions on standby -> held by this replica and tested, before any line is judged by them; and what came of it.

A version that is missing or broken, or whose golden frames get other scores here, is an answer like any other: the replica goes on as before.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Generic, TypeVar

from services.contract.settings import Settings
from services.inspection.versions import Versions
from services.results.connection import connect_async
from services.results.standby import Report, report, wanted

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2
LONGEST_ERROR = 500

Model = TypeVar("Model")


class Standby(Generic[Model]):
    """`check` raises where a model is not what its version says; it is asked once of a model that stays loaded."""

    def __init__(
        self,
        versions: Versions[Model],
        *,
        wanted: Callable[[], Awaitable[Iterable[str]]],
        check: Callable[[str, Model], Awaitable[None]],
        report: Callable[[Mapping[str, Report]], Awaitable[None]],
    ) -> None:
        self._versions, self._wanted, self._check, self._report = versions, wanted, check, report
        self._held: dict[str, asyncio.Task[None]] = {}
        self._reports: dict[str, Report] = {}
        self._sound: dict[str, Model] = {}

    async def run(self) -> None:
        """Looks again and again. Redis away: what is held is held on."""
        while True:
            try:
                await self.look()
            except Exception as error:
                log.debug("standby: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Holds what is wanted, lets go of the rest, and says again what came of each: whoever waits may have begun a moment ago."""
        wanted = set(await self._wanted())
        for version in self._held.keys() - wanted:
            self._held.pop(version).cancel()
            self._reports.pop(version, None)
        for version in wanted - self._held.keys():
            self._held[version] = asyncio.create_task(self._hold(version))
        kept = self._versions.loaded()
        self._sound = {version: model for version, model in self._sound.items() if version in kept}
        if self._reports:
            await self._report(dict(self._reports))

    async def settled(self) -> None:
        """Returns when all that is wanted now is loaded and tested, or known to be unusable."""
        await self.look()
        while self._held.keys() - self._reports.keys():
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def _hold(self, version: str) -> None:
        """Until cancelled: a version in use is never dropped."""
        started_at = time.monotonic()
        try:
            async with self._versions.use(version) as model:
                await self._test(version, model)
                self._reports[version] = Report(seconds=round(time.monotonic() - started_at, 3))
                log.info("model %s is on standby", version[:12])
                await asyncio.Event().wait()
        except Exception as error:  # missing, broken, other scores, out of memory: whatever it is, it must not judge here
            log.warning("model %s cannot stand by: %s", version[:12], error)
            self._reports[version] = Report(error=str(error)[:LONGEST_ERROR] or type(error).__name__, seconds=round(time.monotonic() - started_at, 3))

    async def _test(self, version: str, model: Model) -> None:
        if self._sound.get(version) is not model:
            await self._check(version, model)
            self._sound[version] = model


def standby_of(settings: Settings, replica_id: str, versions: Versions[Model], check: Callable[[str, Model], Awaitable[None]]) -> Standby[Model]:
    """As Redis has it; connects at the first look."""
    redis, names = connect_async(settings), settings.names
    return Standby(versions, wanted=partial(wanted, redis, names), check=check, report=partial(report, redis, names, replica_id))
