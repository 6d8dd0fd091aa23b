"""The topic `inspections` -> a store, from wherever that store stands.

A store keeps its position beside its data, so a follower asks the store where to read on, not the consumer group: a Redis that
was emptied is filled again from the beginning, and a write that half of us forgot is never written twice. Offsets are committed
too, so that the group's lag can be read by anybody.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from services.bus.errors import BusError
from services.bus.record import Partition, Record
from services.contract.inspection import Inspection
from services.results.live import Batch, PositionMovedError

log = logging.getLogger(__name__)

POLL_S = 0.5
POLL_RECORDS = 500
LOOK_EVERY_S = 1.0
"""A store that was emptied while nothing streams is noticed this soon."""
LONGEST_BACKOFF_S = 5.0


class Source(Protocol):
    """What a follower needs of a subscriber."""

    def poll(self, timeout_s: float, max_records: int) -> dict[Partition, list[Record]]: ...

    def take_resets(self) -> set[Partition]: ...

    def assignment(self) -> set[Partition]: ...

    def seek(self, partition: Partition, offset: int) -> None: ...

    def commit(self, offsets: Mapping[Partition, int]) -> None: ...

    def close(self) -> None: ...


class Sink(Protocol):
    """A store of inspections that knows how far it has got."""

    failures: tuple[type[Exception], ...]
    """Raised while the store is away: the same write is tried again."""

    def position(self, topic_id: str, partition: int) -> int:
        """The last offset of `inspections` in the store; -1 for none."""
        ...

    def write(self, batch: Batch) -> None:
        """All of the batch with its position, or nothing. Raises PositionMovedError where the store stands elsewhere."""
        ...


class Follower:
    """Follows the topic until told to stop; survives an absent store by waiting."""

    def __init__(self, name: str, source: Source, sink: Sink, topic_id: Callable[[], str], stop: threading.Event) -> None:
        self._name, self._source, self._sink, self._topic_id, self._stop = name, source, sink, topic_id, stop
        self._stands: dict[Partition, int] = {}
        self._sought: dict[Partition, int] = {}
        self._looked_at = 0.0

    def run(self) -> None:
        """Raises BusError where the subscriber must be made anew."""
        backoff_s = 0.1
        while not self._stop.is_set():
            try:
                self.step()
                backoff_s = 0.1
            except self._sink.failures as error:
                log.warning("%s: the store is away, trying again in %.1f s: %s", self._name, backoff_s, error)
                self._begin_again()
                self._stop.wait(backoff_s)
                backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)

    def step(self) -> None:
        """Reads what has come and writes it."""
        polled = self._source.poll(POLL_S, POLL_RECORDS)
        for partition in self._source.take_resets():
            self._forget(partition)
        for partition, records in polled.items():
            self._take(partition, records)
        self._look()

    def _take(self, partition: Partition, records: list[Record]) -> None:
        stands = self._stands.get(partition)
        if stands is None:  # not placed yet: what was polled may lie behind, or beyond, where the store stands
            return
        fresh = [record for record in records if record.offset > stands]
        if not fresh:
            return
        gap = fresh[0].offset > stands + 1
        if gap and self._sought.get(partition) != stands + 1:
            self._seek(partition, stands)
            return
        batch = Batch(fresh[0].topic_id, partition.partition, stands, fresh[-1].offset, _inspections(fresh), forgotten=gap)
        try:
            self._sink.write(batch)
        except PositionMovedError as moved:
            log.warning("%s: %s/%d stands at %d, not at %d: reading again from there", self._name, *partition, moved.stands, stands)
            self._seek(partition, moved.stands)
            return
        self._stands[partition] = batch.after
        self._source.commit({partition: batch.after + 1})
        log.info("%s: %d inspections of %s/%d, up to %d", self._name, len(fresh), *partition, batch.after)

    def _look(self) -> None:
        """Places new partitions, and notices a store that moved while nothing streamed."""
        new = self._source.assignment() - self._stands.keys()
        if not new and time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        try:
            topic_id = self._topic_id()
        except BusError as error:
            log.info("%s: asking for the topic again: %s", self._name, error)
            return
        for partition in self._source.assignment():
            stands = self._sink.position(topic_id, partition.partition)
            if stands != self._stands.get(partition):
                self._seek(partition, stands)

    def _seek(self, partition: Partition, stands: int) -> None:
        self._stands[partition] = stands
        self._sought[partition] = stands + 1
        self._source.seek(partition, stands + 1)

    def _forget(self, partition: Partition) -> None:
        self._stands.pop(partition, None)
        self._sought.pop(partition, None)

    def _begin_again(self) -> None:
        """After a failed write nobody knows whether it happened: the store is asked where it stands."""
        self._stands.clear()
        self._sought.clear()


def _inspections(records: list[Record]) -> list[Inspection]:
    return [Inspection.from_json(record.value or b"") for record in records]
