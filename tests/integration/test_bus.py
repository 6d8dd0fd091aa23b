"""Publisher, subscriber, topics and reader on a real broker."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from services.bus import topics
from services.bus.errors import BufferFullError, NoSuchRecordError, RecordTooLargeError
from services.bus.publisher import KafkaPublisher
from services.bus.reader import read_all, read_record
from services.bus.record import Partition, Record
from services.bus.subscriber import KafkaSubscriber
from services.contract.settings import Settings


@pytest.fixture
def bus(kafka_servers: str, settings: Settings) -> Settings:
    topics.ensure_topics(settings)
    return settings


@contextmanager
def publishing(settings: Settings, **options: int) -> Iterator[KafkaPublisher]:
    publisher = KafkaPublisher(settings, **options)
    yield publisher
    publisher.close()


@contextmanager
def subscribed(settings: Settings, *, instance_id: str | None = None) -> Iterator[KafkaSubscriber]:
    subscriber = KafkaSubscriber(settings, [settings.names.frames], settings.names.inspection_group, instance_id=instance_id)
    yield subscriber
    subscriber.close()


def publish(publisher: KafkaPublisher, settings: Settings, count: int, *, partition: int | None = None) -> None:
    futures = [publisher.send(settings.names.frames, b"%d" % number, key=b"bolts/cam", partition=partition) for number in range(count)]
    for future in futures:
        future.result(10)


def gather(subscriber: KafkaSubscriber, count: int, within_s: float = 20) -> list[Record]:
    found: list[Record] = []
    poll_until(subscriber, lambda: len(found) >= count, found, within_s)
    return found


def poll_until(subscriber: KafkaSubscriber, condition: Callable[[], bool], found: list[Record], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        for records in subscriber.poll(1.0, 100).values():
            found.extend(records)
    assert condition(), f"after {within_s} s: {len(found)} records"


def test_topics_are_made_with_explicit_partitions_and_stay_when_asked_for_again(bus: Settings) -> None:
    before = topics.topic_id(bus, bus.names.frames)

    topics.ensure_topics(bus)

    assert topics.topic_id(bus, bus.names.frames) == before
    assert topics.end_offsets(bus, bus.names.inspections) == dict.fromkeys(range(bus.kafka.partitions), 0)


def test_what_is_published_is_read_in_order_with_its_headers_and_topic_id(bus: Settings) -> None:
    with publishing(bus) as publisher, subscribed(bus) as subscriber:
        position = publisher.send(bus.names.frames, b"first", key=b"bolts/cam", headers=[("ce_id", b"x")]).result(10)
        publish(publisher, bus, 20)
        records = gather(subscriber, 21)

    assert records[0].headers == (("ce_id", b"x"),)
    assert records[0].topic_id == topics.topic_id(bus, bus.names.frames)
    assert [record.offset for record in records] == list(range(position.offset, position.offset + 21))
    assert abs(records[0].timestamp_ms / 1000 - time.time()) < 60


def test_a_new_member_goes_on_after_what_was_committed_and_the_commit_is_told(bus: Settings) -> None:
    with publishing(bus) as publisher:
        publish(publisher, bus, 10, partition=1)
        with subscribed(bus, instance_id="one") as subscriber:
            gather(subscriber, 10)
            subscriber.commit({Partition(bus.names.frames, 1): 7})
        with subscribed(bus, instance_id="one") as subscriber:
            again = gather(subscriber, 3)

    assert [record.offset for record in again] == [7, 8, 9]
    assert topics.committed(bus, bus.names.inspection_group, bus.names.frames) == {1: 7}


def test_a_rewound_partition_is_read_from_its_commit(bus: Settings) -> None:
    place = Partition(bus.names.frames, 0)
    with publishing(bus) as publisher, subscribed(bus) as subscriber:
        publish(publisher, bus, 5, partition=0)
        gather(subscriber, 5)
        assert subscriber.commit_now({place: 2})

        subscriber.rewind(place)
        again = gather(subscriber, 3)

    assert [record.offset for record in again] == [2, 3, 4]


def test_a_second_member_takes_over_partitions_and_the_first_is_told(bus: Settings) -> None:
    with publishing(bus) as publisher, subscribed(bus) as first:
        publish(publisher, bus, 4, partition=0)
        gather(first, 4)
        first.take_resets()
        with subscribed(bus) as second:
            found: list[Record] = []
            deadline = time.monotonic() + 30
            while not (len(first.assignment()) == len(second.assignment()) == 2) and time.monotonic() < deadline:
                for member in (first, second):
                    for records in member.poll(0.5, 100).values():
                        found.extend(records)

            assert len(first.assignment()) == len(second.assignment()) == 2
            assert first.take_resets()


def test_a_topic_made_anew_is_read_from_its_beginning_under_its_new_id(bus: Settings) -> None:
    name = bus.names.frames
    before = topics.topic_id(bus, name)
    with subscribed(bus, instance_id="one") as subscriber:
        with publishing(bus) as publisher:
            publish(publisher, bus, 20, partition=0)
        gather(subscriber, 20)
        subscriber.commit_now({Partition(name, 0): 20})

        topics.delete_topics(bus, [name])
        make_anew(bus)
        with publishing(bus) as publisher:
            publish(publisher, bus, 5, partition=0)
        found: list[Record] = []
        poll_until(subscriber, lambda: len([one for one in found if one.topic_id != before]) >= 5, found, 40)

        assert [record.offset for record in found if record.topic_id != before] == [0, 1, 2, 3, 4]
        assert Partition(name, 0) in subscriber.take_resets()


def make_anew(settings: Settings) -> None:
    """Deleting goes on for a moment after it was acknowledged."""
    deadline = time.monotonic() + 20
    while True:
        try:
            topics.ensure_topics(settings)
            return
        except Exception:
            assert time.monotonic() < deadline


def test_paused_partitions_give_nothing_and_their_lag_is_still_seen(bus: Settings) -> None:
    place = Partition(bus.names.frames, 0)
    with publishing(bus) as publisher, subscribed(bus) as subscriber:
        publish(publisher, bus, 1, partition=0)
        gather(subscriber, 1)
        subscriber.pause([place])
        publish(publisher, bus, 30, partition=0)
        found: list[Record] = []
        poll_until(subscriber, lambda: subscriber.lag().get(place) == 30, found)

        assert not found
        subscriber.resume([place])
        assert len(gather(subscriber, 30)) == 30


def test_what_was_left_of_a_fetch_comes_back_after_a_pause(bus: Settings) -> None:
    place = Partition(bus.names.frames, 0)
    with publishing(bus) as publisher, subscribed(bus) as subscriber:
        publish(publisher, bus, 50, partition=0)
        found: list[Record] = []
        while not found:
            found = subscriber.poll(1.0, 30).get(place, [])
        subscriber.pause([place])
        publish(publisher, bus, 10, partition=1)
        gather(subscriber, 10)

        subscriber.resume([place])
        found += gather(subscriber, 20)

    assert [record.offset for record in found] == list(range(50))


def test_a_publisher_refuses_what_is_too_large_or_too_much(bus: Settings) -> None:
    with publishing(bus, max_unacknowledged_bytes=1000) as publisher:
        with pytest.raises(RecordTooLargeError, match="at most"):
            publisher.send(bus.names.frames, bytes(bus.kafka.max_message_mb * 2**20), key=None)
        publisher.send(bus.names.frames, bytes(900), key=None)
        with pytest.raises(BufferFullError, match="on their way"):
            publisher.send(bus.names.frames, bytes(900), key=None)
        publisher.send(bus.names.frames, bytes(900), key=None, wait_s=10).result(10)


def test_single_records_and_stretches_are_read_outside_of_any_group(bus: Settings) -> None:
    name = bus.names.frames
    with publishing(bus) as publisher:
        publish(publisher, bus, 10, partition=2)

    record = read_record(bus, name, 2, 4)
    stretch = list(read_all(bus, name, {2: 3}, {2: 8, 1: 0}))

    assert record.value == b"4"
    assert [one.offset for one in stretch] == [3, 4, 5, 6, 7]
    with pytest.raises(NoSuchRecordError, match="offset"):
        read_record(bus, name, 2, 10)
    with pytest.raises(NoSuchRecordError, match="no longer"):
        read_record(bus, name, 2, 4, topic_id="an earlier one")
