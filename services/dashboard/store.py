"""The live view as the dashboard reads it, in one place, so that tests can put a dictionary in Redis's."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from services.contract.inspection import Active
from services.contract.settings import Settings
from services.inspection.state import ConsumerState
from services.results import pictures, standby
from services.results.active import get_actives_async
from services.results.connection import ResultsError, connect_async, connect_blocking
from services.results.history_state import read_history_state
from services.results.holding import holding
from services.results.live import Entry, LiveReader, Minute
from services.results.pictures import Preview
from services.results.sources import SourceState, read_sources
from services.results.standby import Report

__all__ = ["LiveStore", "ResultsError", "Store"]

BLOCK_MS = 1000
ANSWER_S = 4.0
"""A blocked read that takes longer than its block and this is a Redis that hangs."""


class Store(Protocol):
    """Every method raises ResultsError (or TimeoutError) while Redis is away."""

    async def ping(self) -> None: ...
    async def latest(self, line: str, count: int) -> list[Entry]: ...
    async def tail(self, after: Mapping[str, str]) -> list[Entry]: ...
    async def minutes(self, line: str, since: int, until: int) -> list[Minute]: ...
    async def actives(self, lines: Sequence[str]) -> dict[str, Active]: ...
    async def set_active(self, active: Active) -> None: ...
    async def want(self, version: str, *, for_s: float, anew: bool = False) -> None: ...
    async def unwant(self, version: str) -> None: ...
    async def reports(self, version: str) -> dict[str, Report]: ...
    async def holding(self, replicas: Collection[str]) -> dict[str, tuple[str, ...]]: ...
    async def sources(self, cameras: Sequence[tuple[str, str]]) -> dict[tuple[str, str], SourceState]: ...
    async def consumers(self) -> list[ConsumerState]: ...
    async def watch(self, lines: Iterable[str]) -> None: ...
    async def previews(self, lines: Sequence[str]) -> dict[str, Preview]: ...
    async def mask(self, frame_id: str) -> bytes | None: ...
    async def history_problem(self) -> str: ...
    async def close(self) -> None: ...


class LiveStore:
    """Redis. Connects at the first call."""

    def __init__(self, settings: Settings) -> None:
        self._names, self._watched_ttl_s = settings.names, settings.redis.watched_ttl_s
        self._redis, self._blocking = connect_async(settings), connect_blocking(settings)
        self._reader = LiveReader(self._redis, self._names, blocking=self._blocking)

    async def ping(self) -> None:
        await self._redis.ping()

    async def latest(self, line: str, count: int) -> list[Entry]:
        return await self._reader.latest(line, count)

    async def tail(self, after: Mapping[str, str]) -> list[Entry]:
        async with asyncio.timeout(BLOCK_MS / 1000 + ANSWER_S):
            return await self._reader.tail(after, block_ms=BLOCK_MS)

    async def minutes(self, line: str, since: int, until: int) -> list[Minute]:
        return await self._reader.minutes(line, since, until)

    async def actives(self, lines: Sequence[str]) -> dict[str, Active]:
        return await get_actives_async(self._redis, self._names, lines)

    async def set_active(self, active: Active) -> None:
        await self._redis.set(self._names.active(active.line), active.model_dump_json())

    async def want(self, version: str, *, for_s: float, anew: bool = False) -> None:
        """Every Inspector replica shall hold this model version, for so long from now on."""
        await standby.want(self._redis, self._names, version, for_s=for_s, anew=anew)

    async def unwant(self, version: str) -> None:
        await standby.unwant(self._redis, self._names, version)

    async def reports(self, version: str) -> dict[str, Report]:
        """By replica: what came of loading and testing it there."""
        return await standby.reports(self._redis, self._names, version)

    async def holding(self, replicas: Collection[str]) -> dict[str, tuple[str, ...]]:
        """By replica: the versions that it has loaded; without those that have not said."""
        return await holding(self._redis, self._names, replicas)

    async def sources(self, cameras: Sequence[tuple[str, str]]) -> dict[tuple[str, str], SourceState]:
        return await read_sources(self._redis, self._names, cameras)

    async def consumers(self) -> list[ConsumerState]:
        """Frame consumers that have lately said how they are."""
        found = await self._redis.hvals(self._names.consumers)
        return [state for state in map(ConsumerState.model_validate_json, found) if not state.is_stale]

    async def watch(self, lines: Iterable[str]) -> None:
        await pictures.watch(self._redis, self._names, lines, ttl_s=self._watched_ttl_s)

    async def previews(self, lines: Sequence[str]) -> dict[str, Preview]:
        return await pictures.read_previews(self._redis, self._names, lines)

    async def mask(self, frame_id: str) -> bytes | None:
        return await pictures.read_mask(self._redis, self._names, frame_id)

    async def history_problem(self) -> str:
        """Why nothing is added to the history just now; empty where the recorder says nothing of the kind."""
        state = await read_history_state(self._redis, self._names)
        return state.problem if state else ""

    async def close(self) -> None:
        await self._redis.aclose()
        await self._blocking.aclose()
