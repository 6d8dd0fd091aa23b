"""Verdicts in SQL -> the topic `verdicts`: each at least once, those of one frame in the order in which they were given.

The rows are added with their verdicts, so none is lost whatever dies; they go when the broker has acknowledged them. Delivered twice after a
crash in between, a verdict has the same `verdict_id`.

A thread of the dashboard, not a process of its own: verdicts come through the dashboard alone, so sharing its fate delays none that could
have been given meanwhile, and whoever keeps the dashboard alive keeps this alive.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from typing import Protocol

from services.bus.errors import BusError
from services.bus.publisher import Publisher
from services.bus.record import Position
from services.records.errors import RecordsError
from services.records.reviews import Letter

log = logging.getLogger(__name__)

LETTERS_AT_ONCE = 200
LOOK_EVERY_S = 2.0
"""Where nobody wakes it: another process may have added some."""
RETRY_S = 2.0
ANSWER_S = 20.0
"""How long the broker may take for all that was sent at once."""


class Letters(Protocol):
    def letters(self, limit: int) -> Sequence[Letter]: ...

    def delivered(self, letters: Collection[int]) -> None: ...


class Outbox:
    """`run` in a thread until told to stop."""

    def __init__(self, letters: Letters, topic: str, open_publisher: Callable[[], Publisher]) -> None:
        """`open_publisher` raises BusError while Kafka is away."""
        self._letters, self._topic, self._open_publisher = letters, topic, open_publisher
        self._publisher: Publisher | None = None
        self._woken, self._stopped = threading.Event(), False
        self._problem = ""

    def wake(self) -> None:
        """Something was added."""
        self._woken.set()

    def stop(self) -> None:
        self._stopped = True
        self._woken.set()

    def run(self) -> None:
        while not self._stopped:
            pause_s = self._attempt()
            if self._woken.wait(pause_s) and not self._stopped:
                self._woken.clear()
        self._hang_up()

    def step(self) -> int:
        """Delivers one verdict of each frame that has any waiting, and returns how many. Raises BusError, RecordsError."""
        first_of_frame = {letter.frame_id: letter for letter in reversed(self._letters.letters(LETTERS_AT_ONCE))}
        if not first_of_frame:
            return 0
        # The next one of a frame waits until this one is acknowledged: a failed one that is sent again must not come after it.
        sent, failure = self._send(list(reversed(first_of_frame.values())))
        acknowledged = []
        deadline = time.monotonic() + ANSWER_S
        for letter, future in sent:
            try:
                future.result(max(0.0, deadline - time.monotonic()))
                acknowledged.append(letter.id)
            except (BusError, TimeoutError) as error:
                failure = error
        if acknowledged:
            self._letters.delivered(acknowledged)
        if failure is not None:
            raise BusError(f"{len(first_of_frame) - len(acknowledged)} verdicts were not acknowledged: {failure}") from failure
        return len(acknowledged)

    def _send(self, letters: Sequence[Letter]) -> tuple[list[tuple[Letter, Future[Position]]], Exception | None]:
        sent: list[tuple[Letter, Future[Position]]] = []
        publisher = self._publisher = self._publisher or self._open_publisher()
        try:
            for letter in letters:
                sent.append((letter, publisher.send(self._topic, letter.record, key=letter.frame_id.encode())))
        except BusError as error:
            return sent, error
        return sent, None

    def _attempt(self) -> float:
        """Seconds to wait for something to do."""
        try:
            delivered = self.step()
        except (BusError, RecordsError) as error:
            self._hang_up()  # what it still holds must not arrive after what is sent again
            self._tell(f"{error}")
            return RETRY_S
        except Exception:
            log.exception("outbox: goes on after an error of our own")
            self._hang_up()
            return RETRY_S
        self._tell("")
        if delivered:
            log.info("outbox: %d verdicts delivered", delivered)
        return 0 if delivered else LOOK_EVERY_S

    def _hang_up(self) -> None:
        if self._publisher is not None:
            self._publisher.close(timeout_s=1)
            self._publisher = None

    def _tell(self, problem: str) -> None:
        """Once, not every two seconds."""
        if bool(problem) != bool(self._problem):
            log.log(logging.WARNING if problem else logging.INFO, "outbox: %s", f"verdicts wait: {problem}" if problem else "goes on")
        self._problem = problem
