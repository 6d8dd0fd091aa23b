"""The Serve application on real Kafka, Redis and Ray, with detectors that need no network."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from infra.embedded.ray import RayNode
from services.bus import topics
from services.bus.reader import read_all
from services.contract.inspection import Outcome
from services.contract.settings import FrameConsumerSettings, InspectionSettings, InspectorSettings, Settings
from services.dashboard.parts import build
from services.dashboard.standby import standing_by
from services.inspection.deploy import deploy, set_limits, undeploy
from services.inspection.schema import Limits
from services.records.migrations import migrate
from tests.conftest import make_settings
from tests.plant import LINES, Plant, wait_for

pytestmark = pytest.mark.usefixtures("kafka_servers", "redis_url", "ray_cluster")


@pytest.fixture
def plant(request: pytest.FixtureRequest, tmp_path: Path, kafka_servers: str, redis_url: str, ray_cluster: RayNode) -> Iterator[Plant]:
    """An application whose settings a test gives by `@pytest.mark.parametrize("plant", [{...}], indirect=True)`."""
    light = {"inspector": InspectorSettings(num_cpus=0.1), "consumer": FrameConsumerSettings(num_cpus=0.1), "inspection": InspectionSettings(detector="null")}
    settings = make_settings(request, tmp_path, **{**light, **getattr(request, "param", {})})
    topics.ensure_topics(settings)
    migrate(settings.records_url)
    deployed = Plant(settings)
    deployed.activate()
    deploy(settings)
    yield deployed
    undeploy(settings)


def jpeg(seed: int = 0, *, side: int = 200) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def test_frames_of_four_lines_are_each_inspected_once(plant: Plant) -> None:
    sent = plant.send([bytes(1000)] * 400)

    inspections = plant.drained()

    assert Counter(one.frame_id for one in inspections) == Counter(sent)
    assert {one.outcome for one in inspections} == {Outcome.INSPECTED}
    assert all(one.latency_ms >= 0 for one in inspections)
    wait_for(lambda: any(state.state == "running" and state.lag == 0 for state in plant.states()), 10)


@pytest.mark.parametrize("plant", [{"inspection": InspectionSettings(detector="decode", max_frame_mb=0.5, max_megapixels=1)}], indirect=True)
def test_bad_pictures_are_dead_lettered_and_their_neighbours_are_inspected(plant: Plant) -> None:
    good = jpeg()
    huge = cv2.imencode(".png", np.zeros((2000, 2000, 3), np.uint8))[1].tobytes()
    bad = [good[: len(good) // 2], huge, b"", b"GIF89a" + bytes(100), bytes(600_000)]
    sent = plant.send([picture for one in bad for picture in (good, one, good)], lines=LINES[:1])

    by_id = {one.frame_id: one for one in plant.drained()}

    outcomes = [by_id[frame_id].outcome for frame_id in sent]
    assert outcomes == [Outcome.INSPECTED, Outcome.FAILED, Outcome.INSPECTED] * len(bad)
    letters = list(read_all(plant.settings, plant.settings.names.dead_letter, {}, topics.end_offsets(plant.settings, plant.settings.names.dead_letter)))
    assert {dict(letter.headers)["ce_id"].decode() for letter in letters} == set(sent[1::3])
    assert [bytes(letter.value or b"") for letter in letters] == bad
    assert (by_id[sent[0]].width, by_id[sent[0]].height) == (200, 200)


@pytest.mark.parametrize("plant", [{"inspection": InspectionSettings(detector="dsr")}], indirect=True)
def test_a_missing_model_pauses_its_line_says_so_and_dead_letters_nothing(plant: Plant) -> None:
    plant.activate(model_version="0" * 64)
    plant.send([jpeg()] * 20, lines=LINES[:1])

    wait_for(lambda: "model 000000000000" in plant.waiting_for(), 60, plant.waiting_for)

    assert plant.inspections() == []
    assert sum(topics.end_offsets(plant.settings, plant.settings.names.dead_letter).values()) == 0
    assert any(state.state == "waiting" and state.lag == 20 for state in plant.states())


@pytest.mark.parametrize("plant", [{"inspector": InspectorSettings(min_replicas=1, max_replicas=2, num_cpus=0.1)}], indirect=True)
def test_limits_change_without_a_restart_or_a_lost_frame_and_last(plant: Plant) -> None:
    inspectors, consumers = plant.inspector().pids, plant.frame_consumer().pids
    plant.send([bytes(1000)] * 200)

    assert set_limits(plant.settings, Limits(2, 3))
    plant.send([bytes(1000)] * 200)
    wait_for(lambda: plant.inspector().running == 2, 60)
    plant.drained()

    assert set(inspectors) <= set(plant.inspector().pids)
    assert plant.frame_consumer().pids == consumers
    assert (plant.ledger().lost, plant.ledger().double) == (0, 0)
    deploy(plant.settings)
    assert plant.replicas().limits == Limits(2, 3)


@pytest.mark.parametrize("plant", [{"inspector": InspectorSettings(min_replicas=0, max_replicas=1, num_cpus=0.1, to_zero_delay_s=1)}], indirect=True)
def test_nothing_streams_no_replica_runs_and_the_first_frames_or_a_version_to_be_tested_bring_one_up(plant: Plant) -> None:
    wait_for(lambda: plant.inspector().running == 0, 60)

    plant.send([bytes(1000)] * 10)
    plant.drained(within_s=60)

    wait_for(lambda: plant.inspector().running == 0, 60)

    asyncio.run(stand_by(plant))


async def stand_by(plant: Plant) -> None:
    """As whatever changes which model judges a line does."""
    parts = build(plant.settings)
    async with standing_by(parts, "m2"):
        assert plant.inspector().running == 1
    await parts.store.close()


@pytest.mark.parametrize("plant", [{"inspector": InspectorSettings(min_replicas=2, max_replicas=3, num_cpus=0.1, num_gpus=0.5)}], indirect=True)
def test_two_replicas_share_one_logical_gpu_and_a_third_finds_no_place(plant: Plant) -> None:
    assert plant.inspector().running == 2

    set_limits(plant.settings, Limits(3, 3))
    wait_for(lambda: plant.inspector().desired == 3 and plant.inspector().starting == 1, 60, lambda: f"{plant.replicas()}")
    plant.send([bytes(1000)] * 100)
    plant.drained()

    assert plant.inspector().running == 2


def test_settings_without_a_cluster_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ray\.dashboard_url"):
        deploy(Settings(home=tmp_path))
