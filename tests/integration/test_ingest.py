"""Ingest as it runs: its own process on a real broker and a real Redis, following real tables; and a broker that dies under it."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from infra.embedded.kafka import KafkaNode
from infra.embedded.part import Part
from infra.embedded.ports import pick_port
from infra.embedded.process import RunningProcess
from infra.embedded.running import running
from services.bus.publisher import KafkaPublisher
from services.bus.reader import read_all
from services.bus.topics import end_offsets, ensure_topics
from services.contract.frame import Frame
from services.contract.settings import IngestSettings, KafkaSettings, Settings
from services.ingest.camera import Camera, CameraPlan
from services.ingest.outlet import Outlet
from services.ingest.tally import Tally
from services.records.migrations import migrate
from services.records.store import Records
from services.results.connection import connect_async
from services.results.sources import SourceState, read_sources
from tests.conftest import make_settings
from tests.own_store import kafka_node

JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 100
TOKEN = "a-token-of-the-bolts-line"
URL = "/api/v1/lines/bolts/cameras/gate/frames"


@dataclass(frozen=True, slots=True)
class RunningIngest:
    settings: Settings
    records: Records
    process: RunningProcess
    http: httpx.Client

    def state(self, line: str, camera: str) -> SourceState | None:
        return asyncio.run(_states(self.settings, (line, camera))).get((line, camera))

    def push(self, *, token: str = TOKEN, key: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", **({"Idempotency-Key": key} if key else {})}
        return self.http.post(URL, content=JPEG, headers=headers)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Forty good parts of a test split."""
    folder = tmp_path / "tile" / "test" / "good"
    folder.mkdir(parents=True)
    for number in range(40):
        (folder / f"{number:03}.jpg").write_bytes(JPEG + bytes([number]))
    return tmp_path / "tile"


@pytest.fixture(scope="module")
def ingest(request: pytest.FixtureRequest, kafka_servers: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningIngest]:
    with ingesting(make_settings(request, tmp_path_factory.mktemp("ingest"), ingest=IngestSettings(port=pick_port()))) as found:
        yield found


@pytest.fixture
def broker(tmp_path: Path) -> KafkaNode:
    """A broker of the test's own, to be killed."""
    return kafka_node(tmp_path / "kafka")


def test_a_folders_bytes_arrive_unchanged_and_in_order(ingest: RunningIngest, pictures: Path) -> None:
    ingest.records.add_line("tiles", product="azulejo")
    ingest.records.add_camera("tiles", "cam1", f"folder:{pictures}?fps=0&loop=0")

    until(lambda: (state := ingest.state("tiles", "cam1")) and state.sent == 40)

    frames = frames_of(ingest.settings, "tiles")
    assert [frame.image for frame in frames] == [file.read_bytes() for file in sorted(pictures.rglob("*.jpg"))]
    assert [frame.frame_id.sequence for frame in frames] == list(range(40))
    assert {(frame.product, frame.truth) for frame in frames} == {("azulejo", "good")}
    assert "ended after 40 frames" in ingest.state("tiles", "cam1").error  # type: ignore[union-attr]


def test_lines_and_cameras_come_and_go_while_it_runs(ingest: RunningIngest) -> None:
    ingest.records.add_line("metal")
    ingest.records.add_camera("metal", "cam1", "synthetic:brushed-metal?fps=20&defects=0.5")
    ingest.records.add_camera("metal", "broken", "synthetic:velvet")
    until(lambda: (state := ingest.state("metal", "cam1")) and state.sent > 5)
    until(lambda: (state := ingest.state("metal", "broken")) and state.state == "down" and "got 'velvet'" in state.error)

    ingest.records.pause("metal")
    until(lambda: ingest.state("metal", "cam1").state == "paused")  # type: ignore[union-attr]
    ingest.records.remove_camera("metal", "cam1")
    until(lambda: ingest.state("metal", "cam1") is None)

    assert {frame.truth for frame in frames_of(ingest.settings, "metal")} >= {"good"}


def test_a_push_is_a_frame_once_and_only_for_who_has_the_token(ingest: RunningIngest) -> None:
    ingest.records.add_line("bolts", push_token=TOKEN)
    ingest.records.add_camera("bolts", "gate", "push:")
    until(lambda: ingest.push(token="somebody-else's").status_code == 401)

    answers = [ingest.push(key="part 1"), ingest.push(key="part 1"), ingest.push()]

    assert [answer.status_code for answer in answers] == [202] * 3
    assert [str(frame.frame_id) for frame in frames_of(ingest.settings, "bolts")] == [answers[0].json()["frame_id"], answers[2].json()["frame_id"]]
    assert answers[0].json() == answers[1].json()


def test_it_ends_on_sigterm_with_everything_acknowledged(request: pytest.FixtureRequest, kafka_servers: str, redis_url: str, tmp_path: Path) -> None:
    with ingesting(make_settings(request, tmp_path, ingest=IngestSettings(port=pick_port()))) as ingest:
        ingest.records.add_line("metal")
        ingest.records.add_camera("metal", "cam1", "synthetic:ceramic-tile?fps=0")
        until(lambda: (state := ingest.state("metal", "cam1")) and state.sent > 20)

        os.kill(ingest.process.identity.pid, signal.SIGTERM)

        until(lambda: ingest.process.exit_code is not None)
        assert ingest.process.exit_code == 0
        sequences = [frame.frame_id.sequence for frame in frames_of(ingest.settings, "metal")]
        assert sequences == list(range(len(sequences)))


def test_a_camera_that_waits_loses_nothing_when_the_broker_is_killed(broker: KafkaNode, tmp_path: Path, pictures: Path) -> None:
    """kill -9 while it streams; every frame is there once, in order."""
    settings = Settings(home=tmp_path, kafka=KafkaSettings(bootstrap_servers=broker.servers, partitions=1))
    with ExitStack() as camera_runs:
        with running(broker.part(), tmp_path / "logs") as process:
            camera = camera_runs.enter_context(streaming(settings, f"folder:{pictures}?fps=200"))
            streams(camera, 100)
            os.kill(process.identity.pid, signal.SIGKILL)
            until(lambda: process.exit_code is not None)
        with running(broker.part(), tmp_path / "logs"):
            streams(camera, 100)
            camera_runs.close()

            sequences = [frame.frame_id.sequence for frame in frames_of(settings, "tiles")]
            assert sequences == list(range(len(sequences)))
            assert (camera.tally.sent, camera.tally.dropped) == (len(sequences), 0)


def test_a_broker_that_hangs_fills_the_bound_and_no_more(broker: KafkaNode, tmp_path: Path) -> None:
    """A camera that drops counts what it dropped, and goes on when the broker does."""
    settings = Settings(home=tmp_path, kafka=KafkaSettings(bootstrap_servers=broker.servers, partitions=1))
    with running(broker.part(), tmp_path / "logs") as process:
        with streaming(settings, "synthetic:moulded-plastic?fps=20", when_full="drop", bound=200_000) as camera:
            streams(camera, 5)
            dropped = camera.tally.dropped
            os.kill(process.identity.pid, signal.SIGSTOP)
            try:
                until(lambda: camera.tally.dropped > dropped + 10 and "at most 200000 may be" in camera.tally.error)
            finally:
                os.kill(process.identity.pid, signal.SIGCONT)
            streams(camera, 20)

        assert len(frames_of(settings, "tiles")) == camera.tally.sent


@contextmanager
def streaming(settings: Settings, source: str, *, when_full: Any = "wait", bound: int = 2**22) -> Iterator[Camera]:
    """A camera on a producer of its own; at the end all that is on its way has arrived."""
    ensure_topics(settings)
    outlet = Outlet(settings.names.frames, lambda: KafkaPublisher(settings, max_unacknowledged_bytes=bound, delivery_timeout_s=3600))
    outlet.connect(Event())
    camera = Camera(CameraPlan("tiles", "cam1", source, when_full=when_full), outlet, Tally())
    camera.start()
    yield camera
    camera.stop()
    camera.join(30)
    outlet.close(60)


def streams(camera: Camera, more: int) -> None:
    seen = camera.tally.sent
    until(lambda: camera.tally.sent > seen + more, within_s=120)


@contextmanager
def ingesting(settings: Settings) -> Iterator[RunningIngest]:
    """The process itself, ready."""
    migrate(settings.records_url)
    records = Records(settings.records_url)
    with httpx.Client(base_url=f"http://127.0.0.1:{settings.ingest.port}", trust_env=False, timeout=20) as http:
        command = (sys.executable, "-m", "services.ingest")
        part = Part("ingest", command, environment_of(settings), partial(_not_ready, http), ready_within_s=120, stop_within_s=15)
        with running(part, settings.home / "logs") as process:
            yield RunningIngest(settings, records, process, http)
    records.close()


def environment_of(settings: Settings) -> dict[str, str]:
    """What the supervisor would hand down."""
    return {
        "LOUPE_HOME": str(settings.home),
        "LOUPE_NAMES_PREFIX": settings.names_prefix,
        "LOUPE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka_servers,
        "LOUPE_REDIS__URL": settings.redis_url,
        "LOUPE_INGEST__PORT": str(settings.ingest.port),
    }


def frames_of(settings: Settings, line: str) -> list[Frame]:
    topic = settings.names.frames
    frames = [Frame.from_record(record.headers, record.value) for record in read_all(settings, topic, {}, end_offsets(settings, topic))]
    return [frame for frame in frames if frame.frame_id.line == line]


def until(state: Callable[[], Any], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not state():
        assert time.monotonic() < deadline, f"the state did not come within {within_s} s"
        time.sleep(0.1)


def _not_ready(http: httpx.Client) -> str | None:
    try:
        answer = http.get("/readyz")
    except httpx.HTTPError as error:
        return str(error)
    return None if answer.status_code == 200 else str(answer.json()["waits_for"])


async def _states(settings: Settings, camera: tuple[str, str]) -> dict[tuple[str, str], SourceState]:
    async with connect_async(settings) as redis:
        return await read_sources(redis, settings.names, [camera])
