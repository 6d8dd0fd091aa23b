"""kafka-python alone, with the very options of our publisher and subscriber: the yardstick that a benchmark holds the pipeline to."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from services.bus.connection import patiently
from services.bus.errors import BrokerUnreachableError
from services.bus.publisher import producer_options
from services.bus.subscriber import consumer_options
from services.contract.settings import Settings

MAX_UNACKNOWLEDGED_BYTES = 64 * 2**20
WAIT_S = 60.0
SILENCE_S = 30.0

RawRecord = tuple[bytes, bytes, Sequence[tuple[str, bytes]]]
"""Key, value, headers."""


def produce(settings: Settings, topic: str, records: Iterable[RawRecord], *, wait_to_start: Callable[[], None]) -> float:
    """Sends all and waits for every acknowledgement; returns when (`time.monotonic`) it began."""
    producer = patiently(partial(KafkaProducer, **producer_options(settings)), settings, WAIT_S)
    try:
        producer.partitions_for(topic)  # metadata is not part of what is measured
        wait_to_start()
        began_at = time.monotonic()
        _send_all(producer, topic, records)
        return began_at
    finally:
        producer.close(timeout=5)


def consume(settings: Settings, topic: str, count: int, *, joined: Callable[[], None]) -> float:
    """Reads `count` records from all partitions, without the waits of a group; returns when (`time.monotonic`) it had them."""
    consumer = patiently(partial(KafkaConsumer, **consumer_options(settings, None, None)), settings, WAIT_S)
    try:
        places = _partitions(consumer, topic, settings.kafka.partitions)
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        joined()
        return _read(consumer, topic, count)
    finally:
        consumer.close(autocommit=False, timeout_ms=5_000)


def _send_all(producer: KafkaProducer, topic: str, records: Iterable[RawRecord]) -> None:
    on_their_way: deque[tuple[int, object]] = deque()
    unacknowledged = 0
    for key, value, headers in records:
        on_their_way.append((len(value), producer.send(topic, value=value, key=key, headers=list(headers))))
        unacknowledged += len(value)
        while unacknowledged > MAX_UNACKNOWLEDGED_BYTES:
            size, oldest = on_their_way.popleft()
            oldest.get(timeout=WAIT_S)  # type: ignore[attr-defined]
            unacknowledged -= size
    for _, sent in on_their_way:
        sent.get(timeout=WAIT_S)  # type: ignore[attr-defined]


def _partitions(consumer: KafkaConsumer, topic: str, count: int) -> list[TopicPartition]:
    """Of a topic that was made a moment ago: not every answer of the broker names them all."""
    deadline = time.monotonic() + WAIT_S
    while len(numbers := consumer.partitions_for_topic(topic) or set()) < count:
        if time.monotonic() > deadline:
            raise BrokerUnreachableError(f"{topic}: expected {count} partitions, the broker named {sorted(numbers)} for {WAIT_S:g} s")
        time.sleep(0.1)
    return [TopicPartition(topic, number) for number in sorted(numbers)]


def _read(consumer: KafkaConsumer, topic: str, count: int) -> float:
    heard_at = time.monotonic()
    while count > 0:
        polled = consumer.poll(timeout_ms=500)
        now = time.monotonic()
        if polled:
            heard_at = now
            count -= sum(len(records) for records in polled.values())
        elif now - heard_at > SILENCE_S:
            raise BrokerUnreachableError(f"{topic}: {count} records are missing, and none came for {SILENCE_S:g} s")
    return time.monotonic()
