"""A camera's pictures -> frames, in order, paced, at most once each; one thread that lives through dead sources and a slow Kafka."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from services.bus.errors import BusError, RecordTooLargeError
from services.bus.record import Position
from services.contract.frame import Frame
from services.contract.names import FrameId
from services.ingest.address import parse_source
from services.ingest.errors import IngestError
from services.ingest.outlet import Outlet
from services.ingest.pace import Backoff, Pace
from services.ingest.sources import Capture, Source, open_source
from services.ingest.tally import Tally

log = logging.getLogger(__name__)

WAIT_S = 0.5
"""How long one attempt waits for room in the publisher, before it looks whether it should stop."""
SETTLE_S = 30.0


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """All that a running camera depends on: another plan is another start, unless only the product is another."""

    line: str
    camera: str
    source: str
    product: str | None = None
    when_full: Literal["wait", "drop"] = "wait"


def new_session(now: Callable[[], float] = time.time) -> str:
    """One per start of a camera: milliseconds in base 36, so that sessions sort by time."""
    number, digits = int(now() * 1000), ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"


class Camera:
    """Runs a plan until it is stopped. Sequence numbers count captures: one that is missing in Kafka was dropped."""

    def __init__(self, plan: CameraPlan, outlet: Outlet, tally: Tally, *, backoff: Backoff | None = None, session: str | None = None) -> None:
        self.plan, self.tally, self.session = plan, tally, session or new_session()
        self._outlet, self._backoff = outlet, backoff or Backoff()
        self._sequence = 0
        self._on_their_way: deque[tuple[Frame, Future[Position]]] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name=f"camera {plan.line}/{plan.camera}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def follow(self, plan: CameraPlan) -> bool:
        """Goes on with this plan if only the product is another: frames say so from the next capture on, and none is lost to a new start."""
        if replace(plan, product=self.plan.product) != self.plan:
            return False
        self.plan = plan
        return True

    def stop(self) -> None:
        self._stopping.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def run(self) -> None:
        """Opens the source again whenever it dies; ends when it ends, or when it is told to."""
        while not self._stopping.is_set():
            try:
                self._stream(open_source(parse_source(self.plan.source)))
            except (IngestError, OSError) as error:
                self._rest(error)
            else:
                break
        self._settle()
        if not self._stopping.is_set():
            self.tally.down(f"the source ended after {self._sequence} frames")
            log.info("%s/%s: the source ended after %d frames", self.plan.line, self.plan.camera, self._sequence)

    def _rest(self, error: Exception) -> None:
        pause_s = self._backoff.next_s()
        self.tally.down(str(error))
        log.warning("%s/%s: %s; next try in %.1f s", self.plan.line, self.plan.camera, error, pause_s)
        self._stopping.wait(pause_s)

    def _stream(self, source: Source) -> None:
        pace = Pace(source.fps)
        for capture in source.captures:
            self._stopping.wait(pace.wait_s())
            if self._stopping.is_set():
                return
            self._backoff.reset()
            self._send(self._frame(capture))

    def _frame(self, capture: Capture) -> Frame:
        identity = FrameId(self.plan.line, self.plan.camera, self.session, self._sequence)
        self._sequence += 1
        return Frame(identity, capture.image, datetime.now(UTC), part_id=capture.part_id, product=self.plan.product, truth=capture.truth)

    def _send(self, frame: Frame) -> None:
        self._reap()
        if self.plan.when_full == "wait":
            self._send_patiently(frame)
        else:
            self._try(frame, wait_s=0)

    def _send_patiently(self, frame: Frame) -> None:
        while not self._try(frame, wait_s=WAIT_S, last=self._stopping.is_set()):
            self._stopping.wait(0.05)

    def _try(self, frame: Frame, *, wait_s: float, last: bool = True) -> bool:
        """Whether the frame is on its way, or given up; a frame is only given up on the last try."""
        try:
            sent = self._outlet.send(frame, wait_s=wait_s)
        except BusError as error:
            self.tally.up(f"kafka is slow or away: {error}")
            if last or isinstance(error, RecordTooLargeError):
                self._drop(frame, error)
                return True
            return False
        sent.add_done_callback(self._count)
        self._on_their_way.append((frame, sent))
        return True

    def _count(self, sent: Future[Position]) -> None:
        if sent.exception() is None:
            self.tally.count_sent()
            self.tally.up()

    def _reap(self) -> None:
        """Forgets what arrived. A frame that failed after all is sent again, once those behind it are settled, or counted as dropped."""
        while self._on_their_way and self._on_their_way[0][1].done():
            if self._on_their_way[0][1].exception() is not None:
                return self._repair()
            self._on_their_way.popleft()

    def _repair(self) -> None:
        unsettled, self._on_their_way = self._on_their_way, deque()
        wait([sent for _, sent in unsettled], timeout=SETTLE_S)
        for frame, sent in unsettled:
            if not sent.done():
                self._on_their_way.append((frame, sent))
            elif (error := sent.exception()) is not None:
                self._again(frame, error)

    def _again(self, frame: Frame, error: BaseException) -> None:
        if self.plan.when_full == "drop" or isinstance(error, RecordTooLargeError):
            self._drop(frame, error)
        else:
            log.warning("%s: %s; sent again", frame.frame_id, error)
            self._send_patiently(frame)

    def _drop(self, frame: Frame, error: BaseException) -> None:
        self.tally.count_dropped()
        log.debug("%s: dropped: %s", frame.frame_id, error)

    def _settle(self) -> None:
        """Waits a while for what is on its way, so that the last frames are counted too."""
        wait([sent for _, sent in self._on_their_way], timeout=0 if self._stopping.is_set() else SETTLE_S)
        self._reap()
