"""One partition in hand: records that wait, micro-batches under way, and how far it is written."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.bus.record import Partition, Record


@dataclass(frozen=True, slots=True)
class Batch:
    """A slice of one partition, in offset order."""

    records: Sequence[Record]
    received_at: datetime

    @property
    def next_offset(self) -> int:
        return self.records[-1].offset + 1


class Lane:
    """Records in, micro-batches out. It dies with its partition, or with a failed write; a new one then begins where that left off."""

    def __init__(self, partition: Partition, start: int) -> None:
        self.partition, self.written = partition, start
        self.tail: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.alive = True
        self.in_hand = self.bytes_in_hand = 0
        self._waiting: deque[tuple[Record, datetime]] = deque()
        self._oldest_since = 0.0
        self._arrived = asyncio.Event()

    def add(self, records: Sequence[Record], received_at: datetime) -> None:
        if not self._waiting:
            self._oldest_since = time.monotonic()
        self._waiting.extend((record, received_at) for record in records)
        self.in_hand += len(records)
        self.bytes_in_hand += sum(record.size for record in records)
        self._arrived.set()

    async def filled(self, most: int, wait_s: float) -> None:
        """Returns once a batch is full, or its oldest record has waited for `wait_s`."""
        while True:
            self._arrived.clear()
            left = self._oldest_since + wait_s - time.monotonic()
            if len(self._waiting) >= most or (self._waiting and left <= 0):
                return
            try:
                await asyncio.wait_for(self._arrived.wait(), left if self._waiting else None)
            except TimeoutError:
                return

    def take(self, most: int) -> Batch:
        """The oldest records, up to `most`: more may have come while there was no place for them."""
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self._oldest_since = time.monotonic()
        return Batch([record for record, _ in taken], taken[0][1])

    def finished(self, batch: Batch) -> None:
        self.written = batch.next_offset
        self.in_hand -= len(batch.records)
        self.bytes_in_hand -= sum(record.size for record in batch.records)

    def kill(self) -> None:
        """What is under way is dropped: it was not committed, so it is read again."""
        self.alive = False
        for task in self.tasks:
            task.cancel()
