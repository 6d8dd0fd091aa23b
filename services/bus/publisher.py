"""Records -> a topic, acknowledged by all replicas, with a bound on what is still on its way."""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from services.bus.connection import client_options, max_message_bytes, patiently
from services.bus.errors import BrokerUnreachableError, BufferFullError, BusError, RecordTooLargeError
from services.bus.record import Position
from services.contract.settings import Settings

log = logging.getLogger(__name__)

Headers = Sequence[tuple[str, bytes]]
RECORD_OVERHEAD = 1024
"""Bytes that headers and framing add at most, left free below the topic's limit."""


class Publisher(Protocol):
    """Where records go. `send` returns at once; its future is done when the record is durable, or has failed."""

    def send(
        self, topic: str, value: bytes, *, key: bytes | None, headers: Headers = (), partition: int | None = None, wait_s: float = 0
    ) -> Future[Position]: ...

    def flush(self, timeout_s: float) -> None: ...

    def close(self, timeout_s: float = 5) -> None: ...


class KafkaPublisher:
    """One idempotent producer, safe to use from several threads."""

    def __init__(self, settings: Settings, *, max_unacknowledged_bytes: int = 64 * 2**20, delivery_timeout_s: float = 120, wait_s: float = 30) -> None:
        options = producer_options(settings, delivery_timeout_s)
        self._producer = patiently(partial(KafkaProducer, **options), settings, wait_s)
        self._max_value_bytes = max_message_bytes(settings) - RECORD_OVERHEAD
        self._max_unacknowledged = max_unacknowledged_bytes
        self._unacknowledged = 0
        self._changed = threading.Condition()

    @property
    def unacknowledged_bytes(self) -> int:
        return self._unacknowledged

    def send(self, topic: str, value: bytes, *, key: bytes | None, headers: Headers = (), partition: int | None = None, wait_s: float = 0) -> Future[Position]:
        """Raises BufferFullError when more than the bound is on its way for `wait_s`, RecordTooLargeError, BrokerUnreachableError."""
        if len(value) > self._max_value_bytes:
            raise RecordTooLargeError(f"record for {topic}: expected at most {self._max_value_bytes} bytes, got {len(value)}")
        self._reserve(len(value), wait_s)
        try:
            sent = self._producer.send(topic, value=value, key=key, headers=list(headers), partition=partition)
        except kafka_errors.KafkaError as error:
            self._release(len(value))
            raise _translated(error, topic) from error
        except BaseException:
            self._release(len(value))
            raise
        done: Future[Position] = Future()
        done.set_running_or_notify_cancel()  # nobody can call a record back
        sent.add_callback(partial(self._acknowledged, done, len(value)))
        sent.add_errback(partial(self._failed, done, len(value), topic))
        return done

    def flush(self, timeout_s: float) -> None:
        """Waits until everything sent so far is acknowledged. Raises BrokerUnreachableError."""
        try:
            self._producer.flush(timeout=timeout_s)
        except kafka_errors.KafkaError as error:
            raise BrokerUnreachableError(f"flush: {self._unacknowledged} bytes were not acknowledged within {timeout_s:g} s ({error})") from error

    def close(self, timeout_s: float = 5) -> None:
        try:
            self._producer.close(timeout=timeout_s)
        except kafka_errors.KafkaError as error:
            log.warning("producer did not close cleanly: %s", error)

    def _reserve(self, size: int, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        with self._changed:
            while self._unacknowledged and self._unacknowledged + size > self._max_unacknowledged:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise BufferFullError(f"publisher: {self._unacknowledged} bytes are on their way, at most {self._max_unacknowledged} may be")
            self._unacknowledged += size

    def _release(self, size: int) -> None:
        with self._changed:
            self._unacknowledged -= size
            self._changed.notify_all()

    def _acknowledged(self, done: Future[Position], size: int, metadata: Any) -> None:
        self._release(size)
        done.set_result(Position(metadata.topic, metadata.partition, metadata.offset))

    def _failed(self, done: Future[Position], size: int, topic: str, error: BaseException) -> None:
        self._release(size)
        done.set_exception(_translated(error, topic))


def producer_options(settings: Settings, delivery_timeout_s: float = 120) -> dict[str, Any]:
    """Ours under the site's. A batch above the topic's largest message would never be delivered, without saying why."""
    largest = max_message_bytes(settings)
    ours = {
        "acks": "all",
        "enable_idempotence": True,
        "linger_ms": 5,
        "batch_size": min(2**20, largest - RECORD_OVERHEAD),
        "max_request_size": largest,
        "delivery_timeout_ms": int(delivery_timeout_s * 1000),
        "max_block_ms": 5_000,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }
    return {**ours, **client_options(settings), **settings.kafka.producer}


def _translated(error: BaseException, topic: str) -> BusError:
    if isinstance(error, kafka_errors.MessageSizeTooLargeError):
        return RecordTooLargeError(f"record for {topic}: {error}")
    if isinstance(error, kafka_errors.RetriableError):
        return BrokerUnreachableError(f"record for {topic}: {error}")
    return BusError(f"record for {topic}: {type(error).__name__}: {error}")
