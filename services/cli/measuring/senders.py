"""The processes that a benchmark starts: a camera that sends as ingest does, and bare kafka-python on both sides."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from services.bus import bare
from services.bus.publisher import KafkaPublisher
from services.bus.record import Position
from services.cli.measuring.frames import CAMERAS, Load, make_pictures
from services.contract.frame import Frame
from services.contract.names import FrameId
from services.contract.settings import Settings

READY, GO = "ready", "go"
UNACKNOWLEDGED_BYTES = 64 * 2**20
START_WITHIN_S = 120.0


class SenderError(RuntimeError):
    """A process of the benchmark that ended before its work was done."""


@dataclass(frozen=True, slots=True)
class Sent:
    """When (`time.monotonic`) the first frame left and the last one was acknowledged, and how many were."""

    began_at: float
    ended_at: float
    acknowledged: int
    cpu_s: float


class Sender:
    """A child process that gets ready, waits for the word, does its work and says what came of it."""

    def __init__(self, name: str, work: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, *arguments), name=name, daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def wait_ready(self) -> None:
        if not self._pipe.poll(START_WITHIN_S) or self._receive() != READY:
            raise SenderError(f"{self._process.name}: not ready within {START_WITHIN_S:g} s")

    def go(self) -> None:
        self._pipe.send(GO)

    def result(self) -> Any:
        """Blocks until the work is done. Raises SenderError."""
        return self._receive()

    def end(self) -> None:
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(5)
        self._pipe.close()

    def _receive(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError as error:
            self._process.join(5)
            raise SenderError(f"{self._process.name}: ended with {self._process.exitcode} before its work was done") from error


@contextmanager
def sender(name: str, work: Callable[..., None], *arguments: Any) -> Iterator[Sender]:
    """Ready when the block begins, gone when it ends."""
    started = Sender(name, work, *arguments)
    try:
        started.wait_ready()
        yield started
    finally:
        started.end()


def camera(pipe: Connection, settings: Settings, load: Load, size_kb: int) -> None:
    """Sends a load through our publisher."""
    pictures = make_pictures(size_kb)
    publisher = KafkaPublisher(settings, max_unacknowledged_bytes=UNACKNOWLEDGED_BYTES)
    pipe.send(READY)
    pipe.recv()
    began_at, used = time.monotonic(), time.process_time()
    sent = [
        publisher.send(settings.names.frames, frame.image, key=frame.key, headers=frame.headers(), wait_s=START_WITHIN_S) for frame in load.stream(pictures)
    ]
    acknowledged = sum(one.exception(START_WITHIN_S) is None for one in sent)
    pipe.send(Sent(began_at, time.monotonic(), acknowledged, time.process_time() - used))
    publisher.close()


@dataclass(frozen=True, slots=True)
class Paced:
    """Frames of one line in one session: so many as fast as they go, or at a pace until the word comes again."""

    session: str
    line: str
    frames: int | None = None
    per_s: float | None = None

    def frame_id(self, number: int) -> FrameId:
        return FrameId(self.line, f"camera-{number % CAMERAS}", self.session, number // CAMERAS)


def paced_camera(pipe: Connection, settings: Settings, load: Paced, pictures: Sequence[bytes]) -> None:
    """Pictures by turns; answers with the ids of the frames in their order. Raises BusError where one is not acknowledged."""
    publisher = KafkaPublisher(settings, max_unacknowledged_bytes=UNACKNOWLEDGED_BYTES)
    pipe.send(READY)
    pipe.recv()
    began_at, frame_ids = time.monotonic(), []
    sent: list[Future[Position]] = []
    while not pipe.poll() and (load.frames is None or len(sent) < load.frames):
        frame = Frame(load.frame_id(len(sent)), pictures[len(sent) % len(pictures)], datetime.now(UTC))
        sent.append(publisher.send(settings.names.frames, frame.image, key=frame.key, headers=frame.headers(), wait_s=START_WITHIN_S))
        frame_ids.append(str(frame.frame_id))
        if load.per_s is not None:
            time.sleep(max(0.0, began_at + len(sent) / load.per_s - time.monotonic()))
    for one in sent:
        one.result(START_WITHIN_S)
    pipe.send(frame_ids)
    publisher.close()


def bare_producer(pipe: Connection, settings: Settings, load: Load, size_kb: int) -> None:
    pictures = make_pictures(size_kb)
    records = ((frame.key, frame.image, frame.headers()) for frame in load.stream(pictures))

    def wait_to_start() -> None:
        pipe.send(READY)
        pipe.recv()

    pipe.send(bare.produce(settings, settings.names.frames, records, wait_to_start=wait_to_start))


def bare_consumer(pipe: Connection, settings: Settings, frames: int) -> None:
    pipe.send(bare.consume(settings, settings.names.frames, frames, joined=lambda: pipe.send(READY)))
