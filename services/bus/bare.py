"""kafka-python alone, with the very options of our publisher and subscriber: the yardstick that a benchmark holds the pipeline to."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from kafka import KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors

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


def consume(settings: Settings, topic: str, group: str, count: int, *, joined: Callable[[], None]) -> float:
    """Reads `count` records as a member of a group of its own; returns when (`time.monotonic`) it had them."""
    consumer = patiently(partial(KafkaConsumer, **consumer_options(settings, group, None)), settings, WAIT_S)
    try:
        consumer.subscribe([topic])
        _wait_assigned(consumer, topic)
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


def _wait_assigned(consumer: KafkaConsumer, topic: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not consumer.assignment():
        if time.monotonic() > deadline:
            raise BrokerUnreachableError(f"{topic}: the group gave no partition within {WAIT_S:g} s")
        try:
            consumer.poll(timeout_ms=100)
        except kafka_errors.RetriableError:
            continue


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
