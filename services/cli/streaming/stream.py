"""Labelled pictures -> frames on the bus, no more on their way at once than the line can swallow, each once while time lasts."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from services.cli.streaming.pictures import Labelled
from services.contract.frame import Frame
from services.contract.names import FrameId

IN_FLIGHT = 64
"""Enough to fill two micro-batches; more would only wait in Kafka and be shown late."""
POLL_S = 0.05
STALLED_AFTER_S = 120.0

Send = Callable[[Frame], Future[Any]]


class StreamStalledError(RuntimeError):
    """Frames that were sent do not come back."""


@dataclass(slots=True)
class Sent:
    """What left: `acknowledged` maps frame ids to the truth; `dropped` never reached the broker; `left` were not sent, since time was up."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    dropped: int = 0
    left: int = 0


class Streamer:
    """One camera with a folder of pictures. `done` says how many frames of its line have an outcome."""

    def __init__(self, line: str, session: str, send: Send, done: Callable[[], int], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._line, self._session, self._send, self._done, self._clock = line, session, send, done, clock
        self._waiting: list[tuple[str, str, Future[Any]]] = []
        self.sent = Sent()

    def stream(self, pictures: Sequence[Labelled], *, seconds: float, shown: Callable[[int], None] = lambda frames: None) -> Sent:
        """Sends while time lasts, then waits for the last outcome. Raises StreamStalledError."""
        ends_at = self._clock() + seconds
        numbers = count()
        for number, picture in zip(numbers, pictures, strict=False):
            if not self._room(ends_at, shown):
                self.sent.left = len(pictures) - number
                break
            self._send_one(number, picture)
        self._wait(lambda: self._outstanding() == 0, shown)
        return self.sent

    def _send_one(self, number: int, picture: Labelled) -> None:
        frame_id = FrameId(self._line, "folder", self._session, number)
        frame = Frame(frame_id, picture.path.read_bytes(), datetime.now(UTC), part_id=picture.part_id, truth=picture.truth)
        self._waiting.append((str(frame_id), picture.truth, self._send(frame)))

    def _room(self, ends_at: float, shown: Callable[[int], None]) -> bool:
        """False when time is up."""
        if self._clock() >= ends_at:
            return False
        if len(self._waiting) + len(self.sent.acknowledged) - self._done() >= IN_FLIGHT:
            self._wait(lambda: self._outstanding() < IN_FLIGHT or self._clock() >= ends_at, shown)
        return self._clock() < ends_at

    def _outstanding(self) -> int:
        """Frames without an outcome; those that the broker refused have none to come."""
        self._settle()
        return len(self._waiting) + len(self.sent.acknowledged) - self._done()

    def _settle(self) -> None:
        still = []
        for frame_id, truth, future in self._waiting:
            if not future.done():
                still.append((frame_id, truth, future))
            elif future.exception() is None:
                self.sent.acknowledged[frame_id] = truth
            else:
                self.sent.dropped += 1
        self._waiting = still

    def _wait(self, until: Callable[[], bool], shown: Callable[[int], None]) -> None:
        moved_at, seen = self._clock(), -1
        while not until():
            done = self._done()
            if done != seen:
                moved_at, seen = self._clock(), done
                shown(done)
            if self._clock() - moved_at > STALLED_AFTER_S:
                raise StreamStalledError(
                    f"line {self._line}: {self._outstanding()} frames have no outcome, and none came for {STALLED_AFTER_S:g} s; see `loupe status`"
                )
            time.sleep(POLL_S)
        shown(self._done())
