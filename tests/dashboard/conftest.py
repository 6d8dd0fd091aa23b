"""A dashboard whose live view is a dictionary; records and archive are real ones in the test's own folder."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from services.contract.inspection import Active, Inspection
from services.contract.settings import InspectorSettings, Settings
from services.dashboard.application import create_app
from services.dashboard.hub import Hub
from services.dashboard.parts import Parts
from services.dashboard.people import People
from services.dashboard.pictures import Pictures
from services.dashboard.status import Status
from services.inspection.deploy import DeploymentState, ReplicaState
from services.inspection.state import ConsumerState
from services.records.accounts import Role
from services.records.audit import Actor
from services.records.database import Database
from services.records.disclosure import Disclosure
from services.records.jobs import Jobs
from services.records.judging import Judging
from services.records.store import Records, ReplicaLimits
from services.results.archive import Archive
from services.results.connection import ResultsError
from services.results.live import Counts, Entry, Minute
from services.results.pictures import Preview
from services.results.sources import SourceState
from services.results.standby import Report
from services.review.desk import Desk
from tests.databases import with_tables
from training.line_datasets import LineDatasets

NOW = 1_800_000_000.0
ADDRESS = "http://127.0.0.1:8400"
TEST = Actor("test", "admin")


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
        self.on_standby: set[str] = set()
        self.loaded: dict[str, tuple[str, ...]] = {}
        self.said: Callable[[str], dict[str, Report]] = lambda version: {"one": Report(), "two": Report()}

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

    async def want(self, version: str, *, for_s: float, anew: bool = False) -> None:
        self._answer()
        self.on_standby.add(version)

    async def unwant(self, version: str) -> None:
        self._answer()
        self.on_standby.discard(version)

    async def reports(self, version: str) -> dict[str, Report]:
        self._answer()
        return self.said(version) if version in self.on_standby else {}

    async def holding(self, replicas: Collection[str]) -> dict[str, tuple[str, ...]]:
        self._answer()
        return {replica: self.loaded[replica] for replica in replicas if replica in self.loaded}

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

    async def history_problem(self) -> str:
        self._answer()
        return ""

    async def close(self) -> None:
        pass


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class FakeServe:
    """Inspector replicas that run, by their ids; none where nothing is deployed."""

    def __init__(self) -> None:
        self.running: tuple[str, ...] | None = ("one", "two")

    def state(self) -> ReplicaState:
        if self.running is None:
            return ReplicaState("NOT_DEPLOYED", "", None, None, None)
        inspector = DeploymentState(desired=len(self.running), running=len(self.running), starting=0, pids=(), message="", ids=self.running)
        return ReplicaState("RUNNING", "", None, None, inspector)


@pytest.fixture
def serve() -> FakeServe:
    return FakeServe()


@pytest.fixture
def plant_settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, inspector=InspectorSettings(standby_s=5))


@pytest.fixture
def records(plant_settings: Settings) -> Iterator[Records]:
    opened = Records(with_tables(plant_settings.records_url))
    yield opened
    opened.close()


@pytest.fixture
def people(plant_settings: Settings, records: Records) -> Iterator[People]:
    database = Database(plant_settings.records_url)
    yield People.of(plant_settings, database)
    database.close()


@pytest.fixture
def judging(plant_settings: Settings, records: Records) -> Iterator[Judging]:
    database = Database(plant_settings.records_url)
    yield Judging(database)
    database.close()


@pytest.fixture
def archive(plant_settings: Settings) -> Archive:
    return Archive(plant_settings)


@pytest.fixture
def desk(plant_settings: Settings, records: Records, archive: Archive) -> Iterator[Desk]:
    """Nothing leaves its outbox: nobody runs it."""
    database = Database(plant_settings.records_url)
    yield Desk.of(plant_settings, database, archive)
    database.close()


@pytest.fixture
def jobs(plant_settings: Settings, records: Records) -> Iterator[Jobs]:
    """Nobody works on them."""
    database = Database(plant_settings.records_url)
    yield Jobs(database)
    database.close()


@pytest.fixture
def datasets(plant_settings: Settings, records: Records) -> Iterator[LineDatasets]:
    database = Database(plant_settings.records_url)
    yield LineDatasets.of(plant_settings, database, records)
    database.close()


@pytest.fixture
def disclosure(plant_settings: Settings, records: Records) -> Iterator[Disclosure]:
    database = Database(plant_settings.records_url)
    yield Disclosure(database)
    database.close()


@pytest.fixture
def parts(
    plant_settings: Settings,
    store: MemoryStore,
    records: Records,
    people: People,
    judging: Judging,
    archive: Archive,
    desk: Desk,
    jobs: Jobs,
    datasets: LineDatasets,
    disclosure: Disclosure,
    serve: FakeServe,
) -> Parts:
    return Parts(
        settings=plant_settings,
        store=store,
        records=records,
        people=people,
        judging=judging,
        archive=archive,
        pictures=Pictures(plant_settings, store, records, archive),
        desk=desk,
        jobs=jobs,
        datasets=datasets,
        disclosure=disclosure,
        hub=Hub(plant_settings, store, records, now=lambda: NOW),
        status=lambda: Status(at=datetime.now(UTC)),
        set_limits=lambda low, high, by: records.set_replica_limits(ReplicaLimits(low, high), by=by),
        replicas=lambda: serve.state(),
    )


@pytest.fixture
async def anybody(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who has not logged in."""
    transport = httpx.ASGITransport(app=create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as opened:
        yield opened


@pytest.fixture
def client(anybody: httpx.AsyncClient, people: People) -> httpx.AsyncClient:
    """A machine that may do everything."""
    anybody.headers["authorization"] = f"Bearer {people.logins.add_token('client', Role.ADMIN, by=TEST)}"
    return anybody
