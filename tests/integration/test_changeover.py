"""A dragged threshold and a changeover in running replicas: on real Kafka, Redis and Ray, while frames stream, none is lost or judged twice."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import pytest

from infra.embedded.ray import RayNode
from services.bus import topics
from services.contract.inspection import Inspection, Outcome
from services.contract.settings import FrameConsumerSettings, InspectionSettings, InspectorSettings
from services.dashboard import lines, thresholds
from services.dashboard.calibration_views import NewThresholds
from services.dashboard.parts import Parts, build
from services.dashboard.views import LineSettings
from services.inspection.deploy import deploy, undeploy
from services.records.audit import Actor
from services.records.migrations import migrate
from services.records.store import JudgedBy
from tests.conftest import make_settings
from tests.endless import Endless
from tests.plant import CALIBRATION, Plant, wait_for

LINE = "bolts"
ANNA = Actor("anna", "supervisor")
WITHIN_S = 60
Done = TypeVar("Done")


@pytest.fixture
def plant(request: pytest.FixtureRequest, tmp_path: Path, kafka_servers: str, redis_url: str, ray_cluster: RayNode) -> Iterator[Plant]:
    light = {"inspector": InspectorSettings(num_cpus=0.1), "consumer": FrameConsumerSettings(num_cpus=0.1), "inspection": InspectionSettings(detector="null")}
    settings = make_settings(request, tmp_path, **light)
    topics.ensure_topics(settings)
    migrate(settings.records_url)
    deploy(settings)
    yield Plant(settings)
    undeploy(settings)


def stream(plant: Plant) -> Endless:
    """Frames of one line without end, of no product that they say themselves, until the block ends."""
    return Endless(lambda: plant.send([bytes(500)] * 5, lines=[LINE]), every_s=0.1)


def do(plant: Plant, act: Callable[[Parts], Awaitable[Done]]) -> Done:
    """As the dashboard's process does it."""

    async def acted() -> Done:
        parts = build(plant.settings)
        try:
            return await act(parts)
        finally:
            await parts.store.close()

    return asyncio.run(acted())


def change_over(plant: Plant, product: str) -> None:
    def act(parts: Parts) -> Awaitable[object]:
        return lines.change_settings(LINE, LineSettings(product=product), judging=parts.judging, records=parts.records, store=parts.store, by=ANNA)

    do(plant, act)


def test_a_dragged_threshold_and_a_changeover_hold_at_once_and_lose_no_frame(plant: Plant) -> None:
    async def begin(parts: Parts) -> int:
        parts.records.add_line(LINE, judged_by=JudgedBy("m1", CALIBRATION, {}), by=ANNA)
        await lines.follow(LINE, parts.records, parts.store)
        return parts.judging.current(LINE)[0].id

    seen = do(plant, begin)
    with stream(plant):
        _until(plant, lambda one: one.calibration_id == CALIBRATION.calibration_id)

        wanted = NewThresholds(review=0.3, fail=0.6, seen=seen, reason="a scratch went by")
        dragged = do(plant, lambda parts: thresholds.change(parts, LINE, wanted, ANNA)).calibration
        _until(plant, lambda one: one.calibration_id == dragged.calibration_id)

        do(plant, _judge_two_products)
        change_over(plant, "plate")
        _until(plant, lambda one: (one.product, one.calibration_id) == ("plate", "plate"))
        change_over(plant, "ring")
        _until(plant, lambda one: (one.product, one.model_version) == ("ring", "m2"))
        change_over(plant, "washer")
        _until(plant, lambda one: (one.product, one.outcome) == ("washer", Outcome.RECORDED))
    mixed = plant.send([bytes(500)] * 40, lines=[LINE], products=["plate", "ring"])
    inspections = plant.drained()

    assert (plant.ledger().lost, plant.ledger().double) == (0, 0)
    streamed = [(one.product, one.model_version, one.calibration_id) for one in inspections if one.frame_id not in set(mixed)]
    assert [stamp for stamp, _ in groupby(streamed) if stamp != (None, None, None)] == [
        (None, "m1", CALIBRATION.calibration_id),
        (None, "m1", dragged.calibration_id),
        ("plate", "m1", "plate"),
        ("ring", "m2", "ring"),
        ("washer", None, None),
    ]
    judged = {one.frame_id: (one.product, one.model_version) for one in inspections}
    assert [judged[frame_id] for frame_id in mixed] == [("plate", "m1"), ("ring", "m2")] * 20


async def _judge_two_products(parts: Parts) -> None:
    """In the records alone: nothing changes for frames that stream before the changeover brings it to the live view."""
    for product, model in (("plate", "m1"), ("ring", "m2")):
        calibration = CALIBRATION.model_copy(update={"calibration_id": product})
        parts.judging.judge_product(LINE, product, model, calibration, {}, by=ANNA, reason="a product of its own")


def _until(plant: Plant, holds: Callable[[Inspection], bool]) -> None:
    wait_for(lambda: any(map(holds, plant.inspections()[-20:])), WITHIN_S, plant.waiting_for)
