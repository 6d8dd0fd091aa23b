"""A small plant on real parts: frames that it makes go through Kafka and Ray Serve, and come back as inspections to be held against what was sent."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.bus import topics
from services.bus.publisher import KafkaPublisher
from services.bus.reader import read_all
from services.contract.frame import Frame
from services.contract.inspection import Active, Calibration, Inspection
from services.contract.names import FrameId
from services.contract.settings import Settings
from services.inspection.deploy import DeploymentState, ReplicaState, replica_state
from services.inspection.state import ConsumerState, read_states
from services.results.active import set_active
from services.results.connection import connect

LINES = ("bolts", "nuts", "plates", "rings")
CALIBRATION = Calibration(calibration_id="c1", review=0.5, fail=0.8)


@dataclass
class Plant:
    settings: Settings
    sent: list[str] = field(default_factory=list)
    _sequence: int = 0

    def activate(self, *lines: str, model_version: str = "m1") -> None:
        redis = connect(self.settings)
        for line in lines or LINES:
            set_active(redis, self.settings.names, Active(line=line, model_version=model_version, calibration=CALIBRATION))

    def send(self, images: Sequence[bytes], *, lines: Sequence[str] = LINES, products: Sequence[str | None] = (None,), wait_s: float = 60) -> list[str]:
        """Frames that the broker acknowledged, spread over the lines and products."""
        publisher = KafkaPublisher(self.settings)
        frames = [self._frame(image, lines[number % len(lines)], products[number % len(products)]) for number, image in enumerate(images)]
        futures = [publisher.send(self.settings.names.frames, one.image, key=one.key, headers=one.headers(), wait_s=wait_s) for one in frames]
        for future in futures:
            future.result(wait_s)
        publisher.close()
        ids = [str(one.frame_id) for one in frames]
        self.sent += ids
        return ids

    def inspections(self) -> list[Inspection]:
        """All that `inspections` holds, twice inspected ones included."""
        name = self.settings.names.inspections
        records = read_all(self.settings, name, {}, topics.end_offsets(self.settings, name))
        return [Inspection.from_json(record.value or b"") for record in records]

    def drained(self, within_s: float = 120) -> list[Inspection]:
        """Waits until every frame was inspected and committed."""
        frames, group = self.settings.names.frames, self.settings.names.inspection_group
        ends = {partition: end for partition, end in topics.end_offsets(self.settings, frames).items() if end}
        wait_for(lambda: topics.committed(self.settings, group, frames) == ends, within_s, lambda: f"{self.states()}")
        return self.inspections()

    def ledger(self) -> "Ledger":
        """As the recorder keeps it: the first inspection of an offset counts, what is not above the highest one is passed over."""
        counted: Counter[str] = Counter()
        highest: dict[tuple[str, int], int] = {}
        repeated = 0
        for one in self.inspections():
            place = (one.source.topic_id, one.source.partition)
            if one.source.offset <= highest.get(place, -1):
                repeated += 1
                continue
            highest[place] = one.source.offset
            counted[one.frame_id] += 1
        return Ledger(len(set(self.sent) - counted.keys()), sum(count - 1 for count in counted.values()), repeated)

    def states(self) -> list[ConsumerState]:
        return read_states(connect(self.settings), self.settings.names)

    def waiting_for(self) -> str:
        return "; ".join(reason for state in self.states() for reason in state.waiting_for)

    def lag(self) -> int:
        """By Kafka itself, not by what the consumer says."""
        return sum(topics.end_offsets(self.settings, self.settings.names.frames).values()) - self.committed()

    def committed(self) -> int:
        names = self.settings.names
        return sum(topics.committed(self.settings, names.inspection_group, names.frames).values())

    def written(self) -> int:
        return sum(topics.end_offsets(self.settings, self.settings.names.inspections).values())

    def replicas(self) -> ReplicaState:
        return replica_state(self.settings)

    def inspector(self) -> DeploymentState:
        state = self.replicas().inspector
        assert state is not None
        return state

    def frame_consumer(self) -> DeploymentState:
        state = self.replicas().frame_consumer
        assert state is not None
        return state

    def _frame(self, image: bytes, line: str, product: str | None) -> Frame:
        self._sequence += 1
        return Frame(FrameId(line, "cam", "s1", self._sequence), image, datetime.now(UTC), product=product)


@dataclass(frozen=True, slots=True)
class Ledger:
    lost: int
    double: int
    repeated: int
    """Inspections of a frame that had one already, passed over by whoever reads them."""


def wait_for(condition: Callable[[], bool], within_s: float, told: Callable[[], str] = str) -> float:
    """Seconds that it took."""
    started_at = time.monotonic()
    while not condition():
        assert time.monotonic() - started_at < within_s, f"not within {within_s:g} s {told()}"
        time.sleep(0.1)
    return time.monotonic() - started_at
