"""Frames of a memory bus -> inspections on it, by the real consumer, judge and writer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from services.bus.record import Partition
from services.contract.frame import Frame
from services.contract.inspection import Active, Calibration, Decision, Inspection, Judges, Outcome
from services.contract.names import FrameId, Names
from services.contract.settings import InspectionSettings
from services.inspection import consumer
from services.inspection.activations import Activations
from services.inspection.consumer import FrameConsumer, Parts
from services.inspection.errors import OutageError, ReplicaDiedError
from services.inspection.finding import Question
from services.inspection.judging import Judge, Places
from services.inspection.waits import Waits
from services.inspection.writing import Writer
from tests.fakes import DictShelf, MemoryBus, MemoryPublisher, MemorySubscriber, ScriptedInspector

NAMES = Names()
CALIBRATION = Calibration(calibration_id="c1", review=0.5, fail=0.8)
P0 = Partition("frames", 0)


class World:
    """Everything around one consumer."""

    def __init__(self) -> None:
        self.bus, self.shelf, self.inspector = MemoryBus(), DictShelf(), ScriptedInspector()
        self.active = {"bolts": Active(line="bolts", model_version="m1", calibration=CALIBRATION)}
        self.redis_away = False
        self.asked = 0
        self.waits = Waits()
        self.subscriber = MemorySubscriber(self.bus, "frames")
        self._sequence = 0

    def frame(self, image: bytes = b"0.1", *, line: str = "bolts", partition: int = 0, deadline_at: datetime | None = None, product: str | None = None) -> str:
        self._sequence += 1
        frame_id = FrameId(line, "cam", "s1", self._sequence)
        frame = Frame(frame_id, image, datetime.now(UTC), deadline_at=deadline_at, product=product)
        self.bus.append("frames", image, key=frame.key, headers=frame.headers(), partition=partition)
        return str(frame_id)

    def inspections(self) -> list[Inspection]:
        return [Inspection.from_json(record.value or b"") for record in self.bus.records("inspections")]

    async def fetch(self, lines: Sequence[str]) -> dict[str, Active]:
        if self.redis_away:
            raise ConnectionError("no redis")
        self.asked += 1
        return {line: self.active[line] for line in lines if line in self.active}

    async def until(self, condition: Callable[[], bool], within_s: float = 5) -> None:
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110  the worlds around have no event to wait on
                await asyncio.sleep(0.005)

    async def until_written(self, count: int) -> list[Inspection]:
        await self.until(lambda: len(self.bus.records("inspections")) >= count)
        return self.inspections()


class NoShowing:
    def show(self, judged: object, inspections: object) -> None:
        pass


async def nobody(lines: Sequence[str]) -> set[str]:
    return set()


@asynccontextmanager
async def running(world: World, *, blind_check_rate: float = 0.0, batch_frames: int = 8) -> AsyncIterator[FrameConsumer]:
    activations = Activations(world.fetch, nobody, world.waits, grace_s=0.1)
    places = Places(2)
    judge = Judge(world.inspector, activations, world.waits, places)
    writer = Writer(MemoryPublisher(world.bus), world.shelf, NAMES, world.waits, blind_check_rate=blind_check_rate, draw=lambda: 0.005)
    parts = Parts(world.subscriber, judge, writer, NoShowing(), places, world.waits)
    frame_consumer = FrameConsumer(parts, InspectionSettings(batch_frames=batch_frames, batch_wait_ms=5, in_flight=2))
    tasks = [asyncio.create_task(frame_consumer.run()), asyncio.create_task(activations.run())]
    try:
        yield frame_consumer
    finally:
        await frame_consumer.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "REWIND_AFTER_S", 0.02)
    monkeypatch.setattr(consumer, "COMMIT_EVERY_S", 0.01)


async def test_every_frame_gets_one_inspection_in_offset_order_and_is_committed(world: World) -> None:
    sent = [world.frame(partition=number % 2) for number in range(50)]

    async with running(world):
        inspections = await world.until_written(50)
        await world.until(lambda: sum(world.bus.committed.values()) == 50)

    assert Counter(one.frame_id for one in inspections) == Counter(sent)
    for partition in (0, 1):
        offsets = [one.source.offset for one in inspections if one.source.partition == partition]
        assert offsets == sorted(offsets)


async def test_a_slow_first_batch_is_written_before_a_fast_second_one(world: World) -> None:
    for _ in range(4):
        world.frame()
    first_is_slow = [OutageError("warming up"), OutageError("warming up")]

    def before(question: Question) -> None:
        if question.images[0] == b"0.1" and first_is_slow:
            raise first_is_slow.pop()

    world.inspector.before = before
    async with running(world, batch_frames=2):
        inspections = await world.until_written(4)

    assert [one.source.offset for one in inspections] == [0, 1, 2, 3]


async def test_scores_become_decisions_and_flagged_frames_are_kept_with_their_map(world: World) -> None:
    for image in (b"0.1", b"0.6", b"0.9"):
        world.frame(image)

    async with running(world):
        passed, review, failed = await world.until_written(3)

    assert [str(one.decision) for one in (passed, review, failed)] == ["pass", "review", "fail"]
    assert passed.archived is None
    assert failed.archived is not None
    assert failed.archived.map_path is not None
    assert world.shelf.kept[failed.archived.frame_path] == b"0.9"


async def test_a_passed_frame_may_be_drawn_for_a_blind_check_with_its_probability(world: World) -> None:
    world.frame()

    async with running(world, blind_check_rate=0.01):
        (inspection,) = await world.until_written(1)

    assert inspection.archived is not None
    assert (inspection.archived.reason, inspection.archived.probability) == ("blind-check", 0.01)


async def test_a_picture_that_cannot_be_read_is_dead_lettered_and_harms_no_neighbour(world: World) -> None:
    for image in (b"0.1", b"broken", b"0.2"):
        world.frame(image)

    async with running(world):
        inspections = await world.until_written(3)

    assert [one.outcome for one in inspections] == [Outcome.INSPECTED, Outcome.FAILED, Outcome.INSPECTED]
    (letter,) = world.bus.records("frames.dead-letter")
    headers = dict(letter.headers)
    assert letter.value == b"broken"
    assert headers["ce_id"] == inspections[1].frame_id.encode()
    assert headers["loupe-origin-offset"] == b"1"
    assert b"cannot read" in headers["loupe-error"]


async def test_a_record_without_headers_gets_an_inspection_under_a_made_up_id(world: World) -> None:
    world.bus.append("frames", b"who am I", partition=2)

    async with running(world):
        (inspection,) = await world.until_written(1)

    assert inspection.frame_id == "unknown/unknown/p2/0"
    assert inspection.outcome is Outcome.FAILED
    assert len(world.bus.records("frames.dead-letter")) == 1


async def test_a_batch_is_split_by_model_version_and_joined_again(world: World) -> None:
    world.active["nuts"] = Active(line="nuts", model_version="m2", calibration=CALIBRATION)
    for line in ("bolts", "nuts", "bolts", "nuts"):
        world.frame(line=line)

    async with running(world):
        inspections = await world.until_written(4)

    assert [one.model_version for one in inspections] == ["m1", "m2", "m1", "m2"]
    assert {question.model_version for question in world.inspector.questions} == {"m1", "m2"}


async def test_a_batch_with_frames_of_two_products_is_judged_by_two(world: World) -> None:
    strict = Calibration(calibration_id="c2", review=0.2, fail=0.3)
    products = {"plate": Judges(model_version="m1", calibration=CALIBRATION), "ring": Judges(model_version="m2", calibration=strict)}
    world.active["bolts"] = Active(line="bolts", product="plate", model_version="m1", calibration=CALIBRATION, products=products)
    for product in ("plate", "ring", None, "washer"):
        world.frame(b"0.4", product=product)

    async with running(world):
        inspections = await world.until_written(4)

    assert [(one.product, one.model_version, one.calibration_id, one.decision) for one in inspections] == [
        ("plate", "m1", "c1", Decision.PASS),
        ("ring", "m2", "c2", Decision.FAIL),
        ("plate", "m1", "c1", Decision.PASS),
        ("washer", None, None, None),
    ]
    assert inspections[3].outcome is Outcome.RECORDED
    assert inspections[3].archived is not None


async def test_a_changeover_holds_from_one_batch_to_the_next(world: World) -> None:
    products = {"plate": Judges(model_version="m1", calibration=CALIBRATION), "ring": Judges(model_version="m2", calibration=CALIBRATION)}
    world.active["bolts"] = Active(line="bolts", product="plate", model_version="m1", calibration=CALIBRATION, products=products)

    async with running(world):
        world.frame()
        await world.until_written(1)
        world.active["bolts"] = Active(line="bolts", product="ring", model_version="m2", calibration=CALIBRATION, products=products)
        asked = world.asked
        await world.until(lambda: world.asked > asked + 1)  # one of them began after the change
        world.frame()
        inspections = await world.until_written(2)

    assert [(one.product, one.model_version) for one in inspections] == [("plate", "m1"), ("ring", "m2")]


async def test_a_line_has_its_own_share_of_blind_checks_stored_with_each_frame_that_was_drawn(world: World) -> None:
    world.active["bolts"] = Active(line="bolts", model_version="m1", calibration=CALIBRATION, blind_check_rate=1.0)
    world.active["nuts"] = Active(line="nuts", model_version="m1", calibration=CALIBRATION)
    world.frame(line="bolts")
    world.frame(line="nuts")

    async with running(world, blind_check_rate=0.0):
        drawn, passed = await world.until_written(2)

    assert drawn.archived is not None
    assert (drawn.archived.reason, drawn.archived.probability) == ("blind-check", 1.0)
    assert passed.archived is None


async def test_frames_of_a_line_without_a_model_are_recorded_and_kept_those_of_a_paused_one_only_recorded(world: World) -> None:
    world.active["new"] = Active(line="new")
    world.active["paused"] = Active(line="paused", paused=True, model_version="m1", calibration=CALIBRATION)
    world.frame(line="new")
    world.frame(line="paused")

    async with running(world):
        new, paused = await world.until_written(2)

    assert (new.outcome, paused.outcome) == (Outcome.RECORDED, Outcome.RECORDED)
    assert new.archived is not None
    assert new.archived.reason == "recorded"
    assert paused.archived is None
    assert not world.inspector.questions


async def test_a_frame_whose_deadline_has_passed_is_late_and_not_inspected(world: World) -> None:
    world.frame(deadline_at=datetime.now(UTC) - timedelta(seconds=1))
    world.frame(deadline_at=datetime.now(UTC) + timedelta(minutes=1))

    async with running(world):
        late, inspected = await world.until_written(2)

    assert (late.outcome, inspected.outcome) == (Outcome.LATE, Outcome.INSPECTED)


async def test_a_refused_write_is_repeated_from_its_offset_and_nothing_behind_it_is_written_first(world: World) -> None:
    refusals = 3

    def refuse(topic: str, value: bytes) -> bool:
        nonlocal refusals
        hit = topic == "inspections" and Inspection.from_json(value).source.offset == 2 and refusals > 0
        refusals -= hit
        return hit

    world.bus.refuse = refuse
    for _ in range(6):
        world.frame()
    async with running(world, batch_frames=1):
        await world.until(lambda: world.bus.committed.get(P0) == 6)

    offsets = [one.source.offset for one in world.inspections()]
    assert offsets == [0, 1, 2, 3, 4, 5]
    assert (P0, 2) in world.subscriber.sought


async def test_nothing_is_committed_before_it_is_written(world: World) -> None:
    world.bus.refuse = lambda topic, value: topic == "inspections"
    world.frame()

    async with running(world):
        await world.until(lambda: bool(world.subscriber.sought))

    assert world.bus.committed == {}


async def test_an_outage_pauses_the_partition_says_so_and_dead_letters_nothing(world: World) -> None:
    away = True

    def before(question: Question) -> None:
        if away:
            raise OutageError("model m1: no such folder")

    world.inspector.before = before
    for _ in range(200):
        world.frame()
    async with running(world):
        await world.until(lambda: "model m1: no such folder" in world.waits.current() and P0 in world.subscriber.paused)
        assert not world.bus.records("inspections")
        away = False
        await world.until_written(200)

    assert not world.bus.records("frames.dead-letter")


async def test_a_full_archive_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.inspection.writing.RETRY_S", 0.01)
    world.shelf.full = True
    world.frame(b"0.9")

    async with running(world):
        await world.until(lambda: any("no space left" in reason for reason in world.waits.current()))
        world.shelf.full = False
        (inspection,) = await world.until_written(1)

    assert inspection.archived is not None


async def test_a_replica_that_dies_once_harms_no_frame(world: World) -> None:
    deaths = [ReplicaDiedError("killed")]

    def before(question: Question) -> None:
        if deaths:
            raise deaths.pop()

    world.inspector.before = before
    sent = [world.frame() for _ in range(10)]
    async with running(world):
        inspections = await world.until_written(10)

    assert [one.frame_id for one in inspections] == sent
    assert all(one.outcome is Outcome.INSPECTED for one in inspections)


async def test_a_frame_that_alone_kills_two_replicas_is_dead_lettered_and_its_neighbours_are_inspected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.inspection.judging.FIRST_RETRY_S", 0.01)

    def before(question: Question) -> None:
        if b"0.666" in question.images:
            raise ReplicaDiedError("killed")

    world.inspector.before = before
    for image in (b"0.1", b"0.666", b"0.2"):
        world.frame(image)
    async with running(world):
        inspections = await world.until_written(3)

    assert [one.outcome for one in inspections] == [Outcome.INSPECTED, Outcome.FAILED, Outcome.INSPECTED]
    assert "killed 2 Inspector replicas" in (inspections[1].error or "")


async def test_redis_away_keeps_what_is_known_and_waits_for_what_is_not(world: World) -> None:
    world.frame()
    async with running(world):
        await world.until_written(1)
        world.redis_away = True
        world.active["nuts"] = Active(line="nuts", model_version="m2", calibration=CALIBRATION)
        world.frame()
        world.frame(line="nuts", partition=1)

        await world.until_written(2)
        await world.until(lambda: any("nuts" in reason for reason in world.waits.current()), within_s=10)
        world.redis_away = False
        await world.until_written(3)


async def test_frames_of_a_line_that_loupe_does_not_have_are_recorded_in_the_end(world: World) -> None:
    world.frame(line="stranger")

    async with running(world):
        (inspection,) = await world.until_written(1)

    assert inspection.outcome is Outcome.RECORDED


async def test_partitions_that_begin_again_are_read_from_their_commit(world: World) -> None:
    sent = [world.frame() for _ in range(20)]
    async with running(world):
        await world.until_written(20)
        world.bus.committed.clear()
        world.subscriber.begin_again(P0)
        inspections = await world.until_written(40)

    assert Counter(one.frame_id for one in inspections) == Counter(2 * sent)


async def test_timings_come_from_one_clock_in_order(world: World) -> None:
    world.frame()

    async with running(world):
        (inspection,) = await world.until_written(1)

    timings = inspection.timings
    assert timings.decoded_at is not None
    assert timings.inferred_at is not None
    assert timings.received_at <= timings.decoded_at <= timings.inferred_at <= timings.written_at


async def test_lag_counts_what_is_not_read_and_what_is_in_hand(world: World) -> None:
    def before(question: Question) -> None:
        raise OutageError("nobody there")

    world.inspector.before = before
    for _ in range(300):
        world.frame()
    async with running(world) as frame_consumer:
        await world.until(lambda: P0 in world.subscriber.paused)

        assert frame_consumer.lag() == 300
