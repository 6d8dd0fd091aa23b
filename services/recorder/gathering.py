"""A source that holds records back until they are worth a file: enough of them, or the oldest has waited long enough.

What is held is nowhere yet but in Kafka: whoever is killed with it reads it again.
"""

import time
from collections.abc import Callable, Mapping

from services.bus.record import Partition, Record
from services.recorder.follower import Source


class Gathering:
    def __init__(self, source: Source, *, records: int, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._source, self._enough, self._seconds, self._now = source, records, seconds, now
        self._held: dict[Partition, list[Record]] = {}
        self._since = 0.0

    def poll(self, timeout_s: float, max_records: int) -> dict[Partition, list[Record]]:
        polled = self._source.poll(timeout_s, max_records)
        if polled and not self._held:
            self._since = self._now()
        for partition, records in polled.items():
            self._held.setdefault(partition, []).extend(records)
        if sum(map(len, self._held.values())) < self._enough and self._now() - self._since < self._seconds:
            return {}
        given, self._held = self._held, {}
        return given

    def take_resets(self) -> set[Partition]:
        resets = self._source.take_resets()
        for partition in resets:
            self._held.pop(partition, None)
        return resets

    def assignment(self) -> set[Partition]:
        return self._source.assignment()

    def topic_id(self, topic: str) -> str | None:
        return self._source.topic_id(topic)

    def seek(self, partition: Partition, offset: int) -> None:
        """What was held may lie behind, or beyond."""
        self._held.pop(partition, None)
        self._source.seek(partition, offset)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        self._source.commit(offsets)
