"""A dashboard whose live view is a dictionary; records and archive are real ones in the test's own folder."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from services.contract.inspection import Active, Inspection
from services.contract.settings import Settings
from services.dashboard.application import create_app
from services.dashboard.hub import Hub
from services.dashboard.parts import Parts
from services.dashboard.pictures import Pictures
from services.dashboard.status import Status
from services.inspection.state import ConsumerState
from services.records.migrations import migrate
from services.records.store import Records, ReplicaLimits
from services.results.archive import Archive
from services.results.connection import ResultsError
from services.results.live import Counts, Entry, Minute
from services.results.pictures import Preview
from services.results.sources import SourceState

NOW = 1_800_000_000.0
ADDRESS = "http://127.0.0.1:8400"


class MemoryStore:
    """The live view as dictionaries; `away` makes every call fail as Redis does when it is gone."""

    def __init__(self) -> None:
        self.away = False
        self.inspections: dict[str, list[Inspection]] = {}
        self.counts: dict[tuple[str, int], Counts] = {}
        self.active: dict[str, Active] = {}
        self.states: dict[tuple[str, str], SourceState] = {}
        self.consumer_states: list[ConsumerState] = []
        self.watched: set[str] = set()
        self.was_watched = asyncio.Event()
        self.shown: dict[str, Preview] = {}
        self.masks: dict[str, bytes] = {}

    def _answer(self) -> None:
        if self.away:
            raise ResultsError("connection refused")

    async def ping(self) -> None:
        self._answer()

    async def latest(self, line: str, count: int) -> list[Entry]:
        self._answer()
        entries = [Entry(line, f"{number}-0", one) for number, one in enumerate(self.inspections.get(line, []), start=1)]
        return entries[::-1][:count]

    async def tail(self, after: Mapping[str, str]) -> list[Entry]:
        self._answer()
        await asyncio.sleep(0.02)  # Redis would block
        return [entry for line, last in after.items() for entry in reversed(await self.latest(line, 999)) if int(entry.entry_id[:-2]) > int(last[:-2])]

    async def minutes(self, line: str, since: int, until: int) -> list[Minute]:
        self._answer()
        return [Minute(minute, self.counts.get((line, minute), Counts())) for minute in range(since, until + 1)]

    async def actives(self, lines: Sequence[str]) -> dict[str, Active]:
        self._answer()
        return {line: self.active[line] for line in lines if line in self.active}

    async def set_active(self, active: Active) -> None:
        self._answer()
        self.active[active.line] = active

    async def sources(self, cameras: Sequence[tuple[str, str]]) -> dict[tuple[str, str], SourceState]:
        self._answer()
        return {camera: self.states[camera] for camera in cameras if camera in self.states}

    async def consumers(self) -> list[ConsumerState]:
        self._answer()
        return self.consumer_states

    async def watch(self, lines: Iterable[str]) -> None:
        self._answer()
        self.watched.update(lines)
        self.was_watched.set()

    async def previews(self, lines: Sequence[str]) -> dict[str, Preview]:
        self._answer()
        return {line: self.shown[line] for line in lines if line in self.shown}

    async def mask(self, frame_id: str) -> bytes | None:
        self._answer()
        return self.masks.get(frame_id)

    async def close(self) -> None:
        pass


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def plant_settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with all tables, made once and copied for each test."""
    path = tmp_path_factory.mktemp("records") / "records.sqlite"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def records(plant_settings: Settings, migrated: Path) -> Iterator[Records]:
    shutil.copy(migrated, plant_settings.home)
    opened = Records(plant_settings.records_url)
    yield opened
    opened.close()


@pytest.fixture
def archive(plant_settings: Settings) -> Archive:
    return Archive(plant_settings)


@pytest.fixture
def parts(plant_settings: Settings, store: MemoryStore, records: Records, archive: Archive) -> Parts:
    return Parts(
        settings=plant_settings,
        store=store,
        records=records,
        pictures=Pictures(plant_settings, store, records, archive),
        hub=Hub(plant_settings, store, records, now=lambda: NOW),
        status=lambda: Status(at=datetime.now(UTC)),
        set_limits=lambda low, high: records.set_replica_limits(ReplicaLimits(low, high)),
    )


@pytest.fixture
async def client(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as opened:
        yield opened
