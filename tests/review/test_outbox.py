"""Verdicts reach the topic at least once and in order, whatever fails on the way."""

import threading

import pytest

from services.bus.errors import BusError
from services.bus.publisher import Publisher
from services.contract.verdict import Answer, Verdict
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.outbox import Outbox
from services.review.verdicts import Said
from tests.fakes import MemoryBus, MemoryPublisher
from tests.plant import wait_for
from tests.review.makers import ANNA, flag

TOPIC = "verdicts"


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def outbox(desk: Desk, bus: MemoryBus) -> Outbox:
    return Outbox(desk.reviews, TOPIC, lambda: MemoryPublisher(bus))


@pytest.fixture
def frames(desk: Desk, records: Records, archive: Archive) -> list[str]:
    return [flag(records, archive, number).frame_id for number in range(3)]


def came(bus: MemoryBus) -> list[tuple[str, str]]:
    found = [Verdict.from_json(record.value or b"") for record in bus.records(TOPIC)]
    return [(one.frame_id, one.answer.value) for one in found]


def drain(outbox: Outbox) -> int:
    return sum(iter(outbox.step, 0))


def say_three_times(desk: Desk, frame: str) -> None:
    desk.verdicts.give(frame, Said(answer=Answer.DEFECT), ANNA)
    desk.verdicts.undo(frame, ANNA)
    desk.verdicts.give(frame, Said(answer=Answer.GOOD), ANNA)


def test_verdicts_go_out_once_under_their_frames_key(desk: Desk, outbox: Outbox, bus: MemoryBus, frames: list[str]) -> None:
    desk.verdicts.bulk(frames, "good", ANNA)

    assert (drain(outbox), desk.reviews.undelivered(), drain(outbox)) == (3, 0, 0)
    assert sorted(came(bus)) == [(frame, "good") for frame in frames]
    assert {record.key for record in bus.records(TOPIC)} == {frame.encode() for frame in frames}


def test_what_the_broker_refuses_waits_and_nothing_of_its_frame_overtakes_it(desk: Desk, outbox: Outbox, bus: MemoryBus, frames: list[str]) -> None:
    for frame in frames[:2]:
        say_three_times(desk, frame)
    bus.refuse = lambda topic, value: frames[0].encode() in value

    for _ in range(4):
        with pytest.raises(BusError, match="not acknowledged"):
            outbox.step()

    assert came(bus) == [(frames[1], answer) for answer in ("defect", "withdrawn", "good")]
    bus.refuse = lambda topic, value: False
    assert drain(outbox) == 3
    assert [answer for frame, answer in came(bus) if frame == frames[0]] == ["defect", "withdrawn", "good"]


def test_a_crash_between_broker_and_database_delivers_again_with_the_same_id(desk: Desk, bus: MemoryBus, frames: list[str]) -> None:
    given = desk.verdicts.give(frames[0], Said(answer=Answer.GOOD), ANNA)

    class Forgetful:
        letters = desk.reviews.letters

        def delivered(self, letters: object) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Outbox(Forgetful(), TOPIC, lambda: MemoryPublisher(bus)).step()
    drain(Outbox(desk.reviews, TOPIC, lambda: MemoryPublisher(bus)))

    assert [Verdict.from_json(record.value or b"").verdict_id for record in bus.records(TOPIC)] == [given.verdict_id] * 2


def test_it_waits_for_a_kafka_that_is_away_is_woken_and_ends_when_told(desk: Desk, bus: MemoryBus, frames: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.review.outbox.RETRY_S", 0.01)
    tried, here = threading.Event(), threading.Event()

    def open_publisher() -> Publisher:
        tried.set()
        if not here.is_set():
            raise BusError("kafka: no answer")
        return MemoryPublisher(bus)

    outbox = Outbox(desk.reviews, TOPIC, open_publisher)
    thread = threading.Thread(target=outbox.run)
    thread.start()
    desk.verdicts.give(frames[0], Said(answer=Answer.GOOD), ANNA)
    outbox.wake()
    assert tried.wait(10)
    assert came(bus) == []

    here.set()
    wait_for(lambda: desk.reviews.undelivered() == 0, 10)
    outbox.stop()
    thread.join(10)

    assert not thread.is_alive()
    assert came(bus) == [(frames[0], "good")]
