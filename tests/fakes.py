"""The world, in memory: a bus, a shelf for pictures, an Inspector. Nothing is patched; these are passed as arguments."""

import hashlib
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future

from services.bus.errors import BusError
from services.bus.record import Partition, Position, Record
from services.contract.inspection import Decision
from services.inspection.finding import Answer, Finding, FrameFault, Question
from services.results.archive import ArchiveError

Headers = Sequence[tuple[str, bytes]]


class MemoryBus:
    """Topics as lists of records. `refuse` decides which writes fail."""

    def __init__(self, *, partitions: int = 4) -> None:
        self.partitions = partitions
        self.topics: dict[str, list[list[Record]]] = defaultdict(lambda: [[] for _ in range(partitions)])
        self.topic_ids: dict[str, str] = defaultdict(lambda: f"id-{next(self._ids)}")
        self.committed: dict[Partition, int] = {}
        self.refuse: Callable[[str, bytes], bool] = lambda topic, value: False
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def append(self, topic: str, value: bytes | None, *, key: bytes | None = None, headers: Headers = (), partition: int | None = None) -> Position:
        with self._lock:
            at = partition if partition is not None else hash(key) % self.partitions
            log = self.topics[topic][at]
            log.append(Record(topic, self.topic_ids[topic], at, len(log), int(time.time() * 1000), key, value, tuple(headers)))
            return Position(topic, at, len(log) - 1)

    def records(self, topic: str) -> list[Record]:
        return [record for log in self.topics[topic] for record in log]


class MemoryPublisher:
    """Acknowledges at once, or refuses as the bus says."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def send(self, topic: str, value: bytes, *, key: bytes | None, headers: Headers = (), partition: int | None = None, wait_s: float = 0) -> Future[Position]:
        done: Future[Position] = Future()
        if self._bus.refuse(topic, value):
            done.set_exception(BusError(f"{topic}: refused"))
        else:
            done.set_result(self._bus.append(topic, value, key=key, headers=headers, partition=partition))
        return done

    def flush(self, timeout_s: float) -> None:
        pass

    def close(self, timeout_s: float = 5) -> None:
        pass


class MemorySubscriber:
    """Owns all partitions of one topic, from what was committed on."""

    def __init__(self, bus: MemoryBus, topic: str) -> None:
        self._bus, self._topic = bus, topic
        self._owned = {Partition(topic, number) for number in range(bus.partitions)}
        self.positions = {partition: bus.committed.get(partition, 0) for partition in self._owned}
        self.paused: set[Partition] = set()
        self.sought: list[tuple[Partition, int]] = []
        self._resets: set[Partition] = set()
        self.closed = False

    def poll(self, timeout_s: float, max_records: int) -> dict[Partition, list[Record]]:
        deadline = time.monotonic() + min(timeout_s, 0.02)
        while True:
            polled = {partition: self._next(partition, max_records) for partition in self._owned - self.paused}
            polled = {partition: records for partition, records in polled.items() if records}
            if polled or time.monotonic() > deadline:
                return polled
            time.sleep(0.002)

    def take_resets(self) -> set[Partition]:
        resets, self._resets = self._resets, set()
        return resets

    def begin_again(self, partition: Partition) -> None:
        """As a rebalance would: back to what was committed."""
        self.positions[partition] = self._bus.committed.get(partition, 0)
        self._resets.add(partition)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        self._bus.committed.update(offsets)

    def seek(self, partition: Partition, offset: int) -> None:
        self.sought.append((partition, offset))
        self.positions[partition] = offset

    def pause(self, partitions: Iterable[Partition]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self.paused -= set(partitions)

    def assignment(self) -> set[Partition]:
        return self._owned

    def lag(self) -> dict[Partition, int]:
        return {partition: len(self._bus.topics[self._topic][partition.partition]) - at for partition, at in self.positions.items()}

    def close(self) -> None:
        self.closed = True

    def _next(self, partition: Partition, most: int) -> list[Record]:
        start = self.positions[partition]
        records = self._bus.topics[self._topic][partition.partition][start : start + most]
        self.positions[partition] = start + len(records)
        return records


class DictShelf:
    """An archive without a disk; `full` makes it refuse."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.full = False

    def put(self, kind: str, content: bytes) -> str:
        if self.full:
            raise ArchiveError("no space left")
        digest = hashlib.sha256(content).hexdigest()
        path = f"{kind}/{digest[:2]}/{digest}"
        self.kept[path] = content
        return path


class ScriptedInspector:
    """Scores a picture by what it says: b"0.9" is 0.9, b"broken" is a fault. `before` may raise, or wait."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.before: Callable[[Question], None] = lambda question: None

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        self.before(question)
        return Answer([_found(image, question, at) for at, image in enumerate(question.images)], since_decoded_s=0.001)


def _found(image: bytes, question: Question, at: int) -> Finding | FrameFault:
    try:
        score = float(image)
    except ValueError:
        return FrameFault(f"picture: cannot read {image[:20]!r}")
    calibration = question.calibrations[at]
    decision = Decision.FAIL if score >= calibration.fail else Decision.REVIEW if score >= calibration.review else Decision.PASS
    return Finding(score, decision, 640, 480, "coarse", (), b"a map" if decision is not Decision.PASS else None)
