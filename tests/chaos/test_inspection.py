"""Parts of the inspection die with -9 under load: every frame is inspected all the same, and counts once."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from infra.embedded.ray import RayNode
from services.bus import topics
from services.bus.errors import BusError
from services.contract.inspection import Outcome
from services.contract.settings import FrameConsumerSettings, InspectionSettings, InspectorSettings, KafkaSettings, Settings
from services.inspection.deploy import DeploymentState, deploy, undeploy
from services.records.migrations import migrate
from tests.conftest import make_settings
from tests.own_store import OwnStore
from tests.plant import Plant, wait_for

LOADED = 500
RECOVERED_WITHIN_S = 120


@pytest.fixture(scope="module")
def plant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, broker: OwnStore, redis_url: str, ray_cluster: RayNode) -> Iterator[Plant]:
    settings: Settings = make_settings(
        request,
        tmp_path_factory.mktemp("plant"),
        kafka=KafkaSettings(bootstrap_servers=broker.address, session_timeout_ms=6_000),
        inspection=InspectionSettings(detector="decode"),
        inspector=InspectorSettings(min_replicas=1, max_replicas=1, num_cpus=0.1),
        consumer=FrameConsumerSettings(num_cpus=0.1),
    )
    topics.ensure_topics(settings)
    migrate(settings.records_url)
    deployed = Plant(settings)
    deployed.activate()
    deploy(settings)
    yield deployed
    undeploy(settings)


def picture() -> bytes:
    """Small to send and slow to decode, so that a backlog lasts while parts are killed."""
    pixels = np.zeros((900, 1200, 3), np.uint8)
    pixels[::7] = 200
    return cv2.imencode(".png", pixels)[1].tobytes()


@contextmanager
def streaming(plant: Plant) -> Iterator[None]:
    """Keeps a backlog of more than `LOADED` frames; waits where the broker is away."""
    image, stopping = picture(), threading.Event()

    def stream() -> None:
        while not stopping.is_set():
            try:
                if plant.lag() < 2 * LOADED:
                    plant.send([image] * LOADED)
            except BusError:
                time.sleep(0.2)

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(60)


@dataclass(frozen=True)
class Victim:
    name: str
    pid: Callable[[], int | None]
    kill: Callable[[], None]


def kill_under_load(plant: Plant, victim: Victim) -> float:
    """Seconds until a new process of that kind runs and frames are inspected again."""
    wait_for(lambda: plant.lag() > LOADED, 60, lambda: f"lag {plant.lag()}")
    before = victim.pid()
    started_at = time.monotonic()
    victim.kill()
    written = plant.written()
    wait_for(lambda: victim.pid() not in (before, None), RECOVERED_WITHIN_S, lambda: f"{victim.name}: no new process")
    wait_for(lambda: plant.written() > written + LOADED // 5, RECOVERED_WITHIN_S, lambda: f"{victim.name}: {plant.states()}")
    return time.monotonic() - started_at


def test_killed_replicas_consumers_and_brokers_lose_no_frame_and_count_none_twice(plant: Plant, broker: OwnStore) -> None:
    def replica(name: str, state: Callable[[], DeploymentState]) -> Victim:
        def pid() -> int | None:
            return next(iter(state().pids), None)

        return Victim(name, pid, lambda: os.kill(state().pids[0], signal.SIGKILL))

    def kill_consumer() -> None:
        """Between a write and its commit, so that its successor reads some frames again."""
        pid = plant.frame_consumer().pids[0]

        def caught() -> bool:
            os.kill(pid, signal.SIGSTOP)
            if plant.written() > plant.committed():
                return True
            os.kill(pid, signal.SIGCONT)
            return False

        wait_for(caught, 60, lambda: "every write was committed at once")
        os.kill(pid, signal.SIGKILL)

    def consumer_pid() -> int | None:
        return next(iter(plant.frame_consumer().pids), None)

    def kill_broker() -> None:
        broker.kill()
        broker.start()

    victims = [replica("inspector", plant.inspector), Victim("frame consumer", consumer_pid, kill_consumer), Victim("broker", lambda: broker.pid, kill_broker)]
    with streaming(plant):
        recovered = {victim.name: kill_under_load(plant, victim) for victim in victims}
    inspections = plant.drained(within_s=240)

    ledger = plant.ledger()
    seconds_to_recover = {name: round(seconds, 1) for name, seconds in recovered.items()}
    print(f"\n{len(plant.sent)} frames, {ledger}, recovered after {seconds_to_recover} s")  # noqa: T201
    assert {one.outcome for one in inspections} == {Outcome.INSPECTED}
    assert (ledger.lost, ledger.double) == (0, 0)
    assert ledger.repeated >= 1


def test_a_frames_topic_made_anew_is_inspected_from_its_beginning_under_its_new_id(plant: Plant) -> None:
    plant.send([picture()] * 40)
    plant.drained()
    frames = plant.settings.names.frames
    before = topics.topic_id(plant.settings, frames)

    topics.delete_topics(plant.settings, [frames])
    make_anew(plant.settings)
    sent = plant.send([picture()] * 40)
    plant.drained()

    after = {one.frame_id: one.source for one in plant.inspections() if one.source.topic_id != before}
    assert set(sent) == after.keys()
    assert min(source.offset for source in after.values()) == 0
    assert {source.topic_id for source in after.values()} == {topics.topic_id(plant.settings, frames)}
    assert (plant.ledger().lost, plant.ledger().double) == (0, 0)


def make_anew(settings: Settings) -> None:
    """Deleting goes on for a moment after it was acknowledged."""

    def made() -> bool:
        try:
            topics.ensure_topics(settings)
        except Exception:
            return False
        return True

    wait_for(made, 30)
