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

from services.bus.record import Partition, Record
from services.contract.batch import Batch, PositionMovedError, Store
from services.contract.inspection import Inspection

log = logging.getLogger(__name__)

POLL_S = 0.5
POLL_RECORDS = 500
LINGER_S = 0.1
"""Rest between two writes under load: a write costs much the same for one inspection as for a hundred."""
FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 2.0


class Source(Protocol):
    """What a follower needs of a subscriber."""

    def poll(self, timeout_s: float, max_records: int) -> dict[Partition, list[Record]]: ...

    def take_resets(self) -> set[Partition]: ...

    def assignment(self) -> set[Partition]: ...

    def topic_id(self, topic: str) -> str | None: ...

    def seek(self, partition: Partition, offset: int) -> None: ...

    def commit(self, offsets: Mapping[Partition, int]) -> None: ...


class Follower:
    """Follows the topic until told to stop; survives an absent store by waiting."""

    look_every_s = 1.0
    """A store that was emptied while nothing streams is noticed this soon."""

    def __init__(
        self, name: str, source: Source, store: Store, stop: threading.Event, *, begins_at: Callable[[Partition], int], failures: tuple[type[Exception], ...]
    ) -> None:
        """`begins_at` knows the oldest offset that retention has left; `failures` are what the store raises while it is away."""
        self._name, self._source, self._store, self._stop = name, source, store, stop
        self._begins_at, self._failures = begins_at, failures
        self._stands: dict[Partition, int] = {}
        self._looked_at = 0.0

    def run(self) -> None:
        """Raises BusError where the subscriber must be made anew."""
        backoff_s = FIRST_BACKOFF_S
        while not self._stop.is_set():
            try:
                self.step()
                backoff_s = FIRST_BACKOFF_S
                self._stop.wait(LINGER_S)
            except self._failures as error:
                log.warning("%s: the store is away, trying again in %.1f s: %s", self._name, backoff_s, error)
                self._stands.clear()  # nobody knows whether the write happened: the store is asked where it stands
                self._stop.wait(backoff_s)
                backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)

    def step(self) -> None:
        """Reads what has come and writes it."""
        polled = self._source.poll(POLL_S, POLL_RECORDS)
        for partition in self._source.take_resets():
            self._stands.pop(partition, None)
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
        if gap and self._begins_at(partition) < fresh[0].offset:
            self._place(partition, stands)
            return
        self._write(partition, Batch(fresh[0].topic_id, partition.partition, stands, fresh[-1].offset, _inspections(fresh), forgotten=gap))

    def _write(self, partition: Partition, batch: Batch) -> None:
        started_at = time.monotonic()
        try:
            wrote = self._store.write(batch)
        except PositionMovedError as moved:
            log.warning("%s: %s/%d stands at %d, not at %d: reading on from there", self._name, *partition, moved.stands, batch.before)
            self._place(partition, moved.stands)
            return
        self._stands[partition] = batch.after
        self._source.commit({partition: batch.after + 1})
        elapsed_ms = (time.monotonic() - started_at) * 1000
        log.info("%s: %d inspections of %s/%d up to %d in %.1f ms", self._name, wrote.written, *partition, batch.after, elapsed_ms)
        if wrote.passed_over or wrote.missing:
            log.warning("%s: %s/%d: %d frames came twice, %d have no inspection", self._name, *partition, wrote.passed_over, wrote.missing)

    def _look(self) -> None:
        """Places new partitions, and notices a store that moved while nothing streamed."""
        assignment = self._source.assignment()
        if not assignment - self._stands.keys() and time.monotonic() - self._looked_at < self.look_every_s:
            return
        for partition in assignment:
            topic_id = self._source.topic_id(partition.topic)
            stands = self._store.position(topic_id, partition.partition) if topic_id else None
            if stands is not None and stands != self._stands.get(partition):
                self._place(partition, stands)
        self._looked_at = time.monotonic()

    def _place(self, partition: Partition, stands: int) -> None:
        self._stands[partition] = stands
        self._source.seek(partition, stands + 1)


def _inspections(records: list[Record]) -> list[Inspection]:
    read = (_inspection(record) for record in records)
    return [one for one in read if one is not None]


def _inspection(record: Record) -> Inspection | None:
    try:
        return Inspection.from_json(record.value or b"")
    except ValueError as error:  # of a newer Loupe, or not of ours: waiting for it would hold up all that follow
        log.error("%s/%d/%d: expected an inspection, passed over: %s", record.topic, record.partition, record.offset, error)
        return None
