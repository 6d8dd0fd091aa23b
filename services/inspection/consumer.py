"""frames -> inspections: the frame consumer's loop around the judge and the writer.

Partitions go their ways at once; within one, micro-batches are judged side by side and written one after the other. What is
written is committed a moment later. A failed write ends the partition's lane: it is read again from the last offset written,
and nothing behind that is written before. A partition that waits (no replica, no model file, a full archive) is not read on.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from services.bus.errors import BusError
from services.bus.record import Partition, Record
from services.bus.subscriber import Subscriber
from services.contract.inspection import Inspection, Outcome
from services.contract.settings import InspectionSettings
from services.inspection.errors import InspectionError
from services.inspection.judging import Judge, Judged, Places, utc_now
from services.inspection.lane import Batch, Lane
from services.inspection.pace import Pace
from services.inspection.waits import Waits
from services.inspection.writing import Writer

log = logging.getLogger(__name__)

POLL_S = 1.0
POLL_RECORDS = 128
COMMIT_EVERY_S = 0.25
REWIND_AFTER_S = 1.0
LANE_BATCHES = 4
LANE_BYTES = 32 * 2**20
"""A partition with more in hand is paused, so that memory stays bounded whatever it waits for."""
SILENT_TOO_LONG_S = 90.0
DRAIN_S = 8.0


class Showing(Protocol):
    """Where pictures for the pages go; must return at once and never raise."""

    def show(self, judged: list[Judged], inspections: list[Inspection]) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What the consumer works with."""

    subscriber: Subscriber
    judge: Judge
    writer: Writer
    showing: Showing
    places: Places
    waits: Waits


class FrameConsumer:
    """Runs until stopped or until the bus gives up on us; `failure` then says why."""

    def __init__(self, parts: Parts, settings: InspectionSettings) -> None:
        self._parts, self._settings = parts, settings
        self._lanes: dict[Partition, Lane] = {}
        self._failed: set[Partition] = set()
        self._rewinds: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._commits: dict[Partition, int] = {}
        self._stopping = False
        self._polled_at = time.monotonic()
        self._rewinding: set[asyncio.Task[None]] = set()
        self._poll_thread = ThreadPoolExecutor(1, "poll")
        self.pace = Pace()

    async def run(self) -> None:
        """Raises BusError where the consumer must be made anew."""
        committing = asyncio.create_task(self._commit_forever())
        try:
            while not self._stopping:
                await self._step()
        finally:
            committing.cancel()

    async def stop(self) -> None:
        """Writes what is in hand, commits it and leaves."""
        self._stopping = True
        tails = [lane.tail for lane in self._lanes.values() if lane.tail is not None]
        if tails:
            await asyncio.wait(tails, timeout=DRAIN_S)
        for lane in self._lanes.values():
            lane.kill()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._poll_thread, self._leave)
        self._poll_thread.shutdown(wait=False)

    def check(self) -> None:
        """Raises InspectionError when nothing was polled for long."""
        silent = time.monotonic() - self._polled_at
        if silent > SILENT_TOO_LONG_S:
            raise InspectionError(f"frame consumer: no poll came back for {silent:.0f} s")

    def lag(self) -> int:
        """Frames of our partitions that are not inspected yet."""
        return sum(self._parts.subscriber.lag().values()) + sum(lane.in_hand for lane in self._lanes.values())

    def partitions(self) -> list[int]:
        return sorted(partition.partition for partition in self._parts.subscriber.assignment())

    async def _step(self) -> None:
        seeks, self._rewinds = self._rewinds, {}
        self._failed -= seeks.keys()
        for partition in seeks:
            self._begin_again(partition)
        loop = asyncio.get_running_loop()
        polled, resets = await loop.run_in_executor(self._poll_thread, self._poll, seeks)
        self._polled_at = time.monotonic()
        for partition in resets:
            self._forget(partition)
        received_at = utc_now()
        for partition, records in polled.items():
            if partition not in self._failed and partition not in self._rewinds:  # else these lie behind a failed write
                self.pace.arrived(len(records))
                self._lane(partition, records[0].offset).add(records, received_at)
        self._hold_back()

    def _poll(self, seeks: Mapping[Partition, int]) -> tuple[dict[Partition, list[Record]], set[Partition]]:
        """In the poll thread, the only one that polls and seeks."""
        subscriber = self._parts.subscriber
        for partition, offset in seeks.items():
            subscriber.seek(partition, offset)
        polled = subscriber.poll(POLL_S, POLL_RECORDS)
        return polled, subscriber.take_resets()

    def _leave(self) -> None:
        subscriber = self._parts.subscriber
        subscriber.commit(self._commits)
        subscriber.close()

    def _lane(self, partition: Partition, start: int) -> Lane:
        lane = self._lanes.get(partition)
        if lane is None:
            lane = self._lanes[partition] = Lane(partition, start)
            self._spawn(lane, self._drive(lane))
        return lane

    def _end(self, partition: Partition) -> None:
        lane = self._lanes.pop(partition, None)
        if lane is not None:
            lane.kill()

    def _begin_again(self, partition: Partition) -> None:
        self._end(partition)
        self._paused.discard(partition)
        self._parts.subscriber.resume([partition])

    def _forget(self, partition: Partition) -> None:
        """Taken away, or begun anew: what is in hand will be read again by whoever owns it."""
        self._end(partition)
        self._commits.pop(partition, None)
        self._rewinds.pop(partition, None)
        self._failed.discard(partition)
        self._paused.discard(partition)

    def _spawn(self, lane: Lane, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        lane.tasks.add(task)
        task.add_done_callback(lane.tasks.discard)
        return task

    async def _drive(self, lane: Lane) -> None:
        """Cuts micro-batches for as long as the lane lives."""
        while lane.alive:
            await lane.filled(self._settings.batch_frames, self._settings.batch_wait_ms / 1000)
            await self._parts.places.room()
            batch = lane.take(self._settings.batch_frames)
            lane.tail = self._spawn(lane, self._work(lane, batch, lane.tail))

    async def _work(self, lane: Lane, batch: Batch, previous: asyncio.Task[None] | None) -> None:
        try:
            judged = await self._parts.judge.judge(batch.records, batch.received_at)
            if previous is not None:
                await asyncio.wait({previous})
            if lane.alive:
                inspections = await self._parts.writer.write(judged)
                self._written(lane, batch, judged, inspections)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._fail(lane, error)

    def _written(self, lane: Lane, batch: Batch, judged: list[Judged], inspections: list[Inspection]) -> None:
        if not lane.alive:
            return
        lane.finished(batch)
        self._commits[lane.partition] = batch.next_offset
        self.pace.wrote(len(judged), late=sum(one.outcome is Outcome.LATE for one in judged))
        self._parts.showing.show(judged, inspections)
        self._release(lane)
        _report(lane, batch, inspections)

    def _fail(self, lane: Lane, error: Exception) -> None:
        if not lane.alive:
            return
        level = log.warning if isinstance(error, BusError | InspectionError) else log.exception
        level("%s/%d: not written beyond offset %d, reading again from there: %s", *lane.partition, lane.written, error)
        self._failed.add(lane.partition)
        lane.kill()
        rewinding = asyncio.create_task(self._rewind_later(lane, error))
        self._rewinding.add(rewinding)
        rewinding.add_done_callback(self._rewinding.discard)

    async def _rewind_later(self, lane: Lane, error: Exception) -> None:
        await self._parts.waits.pause(f"{lane.partition.topic}/{lane.partition.partition}: {error}", REWIND_AFTER_S)
        if lane.partition in self._failed:  # else it was taken away meanwhile
            self._rewinds[lane.partition] = lane.written

    def _hold_back(self) -> None:
        full = {partition for partition, lane in self._lanes.items() if partition not in self._paused and self._is_full(lane)}
        if full:
            self._parts.subscriber.pause(full)
            self._paused |= full

    def _is_full(self, lane: Lane) -> bool:
        return lane.in_hand >= LANE_BATCHES * self._settings.batch_frames or lane.bytes_in_hand >= LANE_BYTES

    def _release(self, lane: Lane) -> None:
        if lane.partition in self._paused and not self._is_full(lane):
            self._paused.discard(lane.partition)
            self._parts.subscriber.resume([lane.partition])

    async def _commit_forever(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_EVERY_S)
            commits, self._commits = self._commits, {}
            if commits:
                await asyncio.to_thread(self._parts.subscriber.commit, commits)


def _report(lane: Lane, batch: Batch, inspections: list[Inspection]) -> None:
    if log.isEnabledFor(logging.INFO):
        elapsed_ms = (inspections[-1].timings.written_at - batch.received_at).total_seconds() * 1000
        log.info("wrote %d inspections of %s/%d up to %d in %.1f ms", len(inspections), *lane.partition, batch.next_offset - 1, elapsed_ms)
