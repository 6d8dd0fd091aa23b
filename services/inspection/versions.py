"""Model versions that a replica holds: loaded once however many ask at the same time, and dropped when nobody uses them any more."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Model = TypeVar("Model")
MOST = 8


class Versions(Generic[Model]):
    """Least recently used ones go first, never one in use; `Model` must not free itself, since a batch may still hold it."""

    def __init__(self, load: Callable[[str], Awaitable[Model]], *, most: int = MOST) -> None:
        self._load, self._most = load, most
        self._models: dict[str, asyncio.Task[Model]] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def use(self, version: str) -> AsyncIterator[Model]:
        """The model, loaded if need be. What its loading raises is raised to all that wait; the next one tries again."""
        self._users[version] = self._users.get(version, 0) + 1
        try:
            yield await self._get(version)
        finally:
            self._users[version] -= 1
            self._drop_unused()

    def loaded(self) -> list[str]:
        return [version for version, task in self._models.items() if task.done()]

    async def _get(self, version: str) -> Model:
        task = self._models.pop(version, None)
        if task is None or (task.done() and task.exception() is not None):
            task = asyncio.ensure_future(self._load(version))
            task.add_done_callback(_retrieve)
        self._models[version] = task  # last: the most recently used
        return await asyncio.shield(task)

    def _drop_unused(self) -> None:
        for version in [version for version in self._models if not self._users.get(version)]:
            if len(self._models) <= self._most:
                return
            del self._models[version]
            self._users.pop(version, None)
            log.info("dropped model %s", version[:12])


def _retrieve(task: "asyncio.Task[Model]") -> None:
    if not task.cancelled():
        task.exception()
