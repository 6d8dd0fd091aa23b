"""Frames -> the frames topic, through one idempotent producer that all cameras and pushes share, made when the broker first answers."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from services.bus.errors import BrokerUnreachableError, BusError
from services.bus.publisher import Publisher
from services.bus.record import Position
from services.contract.frame import Frame

log = logging.getLogger(__name__)

RETRY_S = 1.0


class Outlet:
    """Where frames leave. `connect` may run for as long as the broker needs; until then `send` says that it is away."""

    def __init__(self, topic: str, make_publisher: Callable[[], Publisher]) -> None:
        self._topic, self._make = topic, make_publisher
        self._publisher: Publisher | None = None
        self._lock = threading.Lock()
        self._pending = 0
        self._moved_at = time.monotonic()

    def connect(self, stopping: threading.Event) -> None:
        """Tries until the broker answers, or until we are told to stop."""
        while self._publisher is None and not stopping.is_set():
            try:
                self._publisher = self._make()
            except BusError as error:
                log.warning("waiting for kafka: %s", error)
                stopping.wait(RETRY_S)

    @property
    def connected(self) -> bool:
        return self._publisher is not None

    @property
    def stalled_s(self) -> float:
        """Seconds for which frames have been on their way and not one was acknowledged."""
        with self._lock:
            return time.monotonic() - self._moved_at if self._pending else 0.0

    def send(self, frame: Frame, *, wait_s: float = 0) -> Future[Position]:
        """Raises BufferFullError, RecordTooLargeError, BrokerUnreachableError; the future may raise the same later."""
        if self._publisher is None:
            raise BrokerUnreachableError("kafka: no answer yet")
        self._started()
        try:
            sent = self._publisher.send(self._topic, frame.image, key=frame.key, headers=frame.headers(), wait_s=wait_s)
        except BaseException:
            self._finished(moved=False)
            raise
        sent.add_done_callback(lambda done: self._finished(moved=done.exception() is None))
        return sent

    def close(self, timeout_s: float) -> None:
        """Gives what is on its way this long to arrive."""
        if self._publisher is None:
            return
        try:
            self._publisher.flush(timeout_s)
        except BusError as error:
            log.error("frames were not acknowledged before the end: %s", error)
        self._publisher.close(1)

    def _started(self) -> None:
        with self._lock:
            if not self._pending:
                self._moved_at = time.monotonic()
            self._pending += 1

    def _finished(self, *, moved: bool) -> None:
        with self._lock:
            self._pending -= 1
            if moved:
                self._moved_at = time.monotonic()
