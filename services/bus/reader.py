"""Single records and whole stretches of a topic, outside of any group: for pages and tools."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from services.bus.connection import client_options, max_message_bytes, patiently, translated
from services.bus.errors import BrokerUnreachableError, NoSuchRecordError
from services.bus.record import Record
from services.contract.settings import Settings

SILENCE_S = 30.0
"""A stretch whose records stop coming for this long is given up."""


def read_record(settings: Settings, topic: str, partition: int, offset: int, *, topic_id: str | None = None, wait_s: float = 10) -> Record:
    """The record at one offset. Raises NoSuchRecordError (also where `topic_id` names an earlier incarnation), BrokerUnreachableError."""
    with _consumer(settings, wait_s) as consumer:
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        first, end = _bounds(consumer, place, wait_s)
        if not first <= offset < end:
            raise NoSuchRecordError(f"{topic}/{partition}: expected an offset in {first}..{end - 1}, got {offset}")
        consumer.seek(place, offset)
        found = _next(consumer, place, wait_s)
        record = as_record(found, _topic_id(consumer, topic))
        if record.offset != offset or (topic_id is not None and record.topic_id != topic_id):
            raise NoSuchRecordError(f"{topic}/{partition}/{offset}: no longer in the topic")
        return record


def read_all(settings: Settings, topic: str, from_offsets: Mapping[int, int], until_offsets: Mapping[int, int]) -> Iterator[Record]:
    """Every record from (inclusive) to until (exclusive), in order within a partition. Offsets that retention took are skipped."""
    with _consumer(settings, 10) as consumer:
        places = {TopicPartition(topic, number) for number, until in until_offsets.items() if from_offsets.get(number, 0) < until}
        consumer.assign(list(places))
        beginnings = consumer.beginning_offsets(list(places)) if places else {}
        for place in places:
            consumer.seek(place, max(from_offsets.get(place.partition, 0), beginnings[place]))
        yield from _stretch(consumer, places, until_offsets)


def offsets_at(settings: Settings, topic: str, moment: datetime) -> dict[int, int]:
    """Partition -> the first offset that was written at or after a moment; where nothing was, the one that the next record will get."""
    with _consumer(settings, 10) as consumer:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends = consumer.end_offsets(places)
        found = consumer.offsets_for_times(dict.fromkeys(places, int(moment.timestamp() * 1000)))
        return {place.partition: found[place].offset if found.get(place) else ends[place] for place in places}


def as_record(found: Any, topic_id: str) -> Record:
    """kafka-python's record -> ours."""
    return Record(found.topic, topic_id, found.partition, found.offset, found.timestamp, found.key, found.value, tuple(found.headers))


def _stretch(consumer: KafkaConsumer, places: set[TopicPartition], until: Mapping[int, int]) -> Iterator[Record]:
    heard = time.monotonic()
    open_places = {place for place in places if consumer.position(place) < until[place.partition]}
    while open_places:
        polled = consumer.poll(timeout_ms=500)
        if polled:
            heard = time.monotonic()
        elif time.monotonic() - heard > SILENCE_S:
            raise BrokerUnreachableError(f"{sorted(open_places)}: no record for {SILENCE_S:g} s")
        for place, found in polled.items():
            identity = _topic_id(consumer, place.topic)
            yield from (as_record(one, identity) for one in found if one.offset < until[place.partition])
        finished = {place for place in open_places if consumer.position(place) >= until[place.partition]}
        open_places -= finished
        consumer.pause(*finished)


@contextmanager
def _consumer(settings: Settings, wait_s: float) -> Iterator[KafkaConsumer]:
    options = {
        **{"enable_auto_commit": False, "auto_offset_reset": "earliest", "allow_auto_create_topics": False, "fetch_max_wait_ms": 100},
        **{"max_partition_fetch_bytes": max_message_bytes(settings), "metrics_enabled": False},
        **client_options(settings),
        **settings.kafka.consumer,
    }
    consumer = patiently(partial(KafkaConsumer, **options), settings, wait_s)
    try:
        with translated(settings):
            yield consumer
    finally:
        consumer.close(autocommit=False)


def _bounds(consumer: KafkaConsumer, place: TopicPartition, wait_s: float) -> tuple[int, int]:
    first = consumer.beginning_offsets([place], timeout_ms=int(wait_s * 1000))[place]
    return first, consumer.end_offsets([place], timeout_ms=int(wait_s * 1000))[place]


def _next(consumer: KafkaConsumer, place: TopicPartition, wait_s: float) -> Any:
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        found = consumer.poll(timeout_ms=500, max_records=1).get(place)
        if found:
            return found[0]
    raise BrokerUnreachableError(f"{place.topic}/{place.partition}: no record within {wait_s:g} s")


def _topic_id(consumer: KafkaConsumer, topic: str) -> str:
    return str(consumer._cluster.topic_id(topic))  # kafka-python has no public way to ask
