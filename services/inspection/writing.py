"""Judged frames -> archive, dead letters, `inspections`: durable in this order before anything is committed, in the order of their offsets.

Only then, and without anybody waiting for it, the pictures that pages show.
"""

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol

from services.bus.publisher import Publisher
from services.bus.record import Position
from services.contract.inspection import Archived, Decision, Inspection, Outcome, Source, Timings
from services.contract.names import Names
from services.inspection.judging import Judged, utc_now
from services.inspection.waits import Waits
from services.results.archive import ArchiveError, Kind

log = logging.getLogger(__name__)

RETRY_S = 2.0
BUFFER_PATIENCE_S = 5.0
LONGEST_ERROR = 500


class Shelf(Protocol):
    """Where pictures are kept, by content."""

    def put(self, kind: Kind, content: bytes) -> str: ...


class Writer:
    """Writes micro-batches of one partition after the other; `write` returns when all of it is durable."""

    def __init__(
        self,
        publisher: Publisher,
        shelf: Shelf,
        names: Names,
        waits: Waits,
        *,
        blind_check_rate: float,
        draw: Callable[[], float] = random.random,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._publisher, self._shelf, self._names, self._waits = publisher, shelf, names, waits
        self._blind_check_rate, self._draw, self._now = blind_check_rate, draw, now

    async def write(self, judged: Sequence[Judged]) -> list[Inspection]:
        """The inspections, in order and acknowledged. Waits while archive or broker are away; raises BusError where a write was refused."""
        archived = await self._archived(judged)
        dead = [one for one in judged if one.outcome is Outcome.FAILED]
        if dead:
            await self._acknowledged(lambda: [self._bury(one) for one in dead])
        written_at = self._now()
        inspections = [_inspection(one, kept, max(written_at, one.received_at)) for one, kept in zip(judged, archived, strict=True)]
        records = [(one.record.partition, _key(one), inspection.to_json()) for one, inspection in zip(judged, inspections, strict=True)]
        # The frame's own partition: its inspections then stand in one partition in offset order, whatever the key.
        await self._acknowledged(lambda: [self._send(self._names.inspections, value, key, partition=at) for at, key, value in records])
        return inspections

    async def _archived(self, judged: Sequence[Judged]) -> list[Archived | None]:
        reasons = [self._reason(one) for one in judged]
        if not any(reasons):
            return [None] * len(judged)
        while True:
            try:
                return await asyncio.to_thread(self._archive, judged, reasons)
            except ArchiveError as error:
                await self._waits.pause(f"the archive: {error}", RETRY_S)

    def _reason(self, one: Judged) -> Archived | None:
        """Why this frame's bytes are kept; the paths are filled in once they are."""
        if one.finding is not None and one.finding.decision is not Decision.PASS:
            return _archived("flagged", 1.0)
        if one.finding is not None and self._draw() < (rate := self._rate(one)):
            return _archived("blind-check", rate)
        if one.outcome is Outcome.RECORDED and one.active is not None and not one.active.paused:
            return _archived("recorded", 1.0)  # a new line gathers the pictures its first model learns from
        if one.outcome is Outcome.FAILED and one.record.value:
            return _archived("failed", 1.0)
        return None

    def _rate(self, one: Judged) -> float:
        """As somebody said for this line; it is stored with the frame, since it may be another tomorrow."""
        said = one.active.blind_check_rate if one.active is not None else None
        return self._blind_check_rate if said is None else said

    def _archive(self, judged: Sequence[Judged], reasons: Sequence[Archived | None]) -> list[Archived | None]:
        return [None if reason is None else self._stored(one, reason) for one, reason in zip(judged, reasons, strict=True)]

    def _stored(self, one: Judged, reason: Archived) -> Archived:
        frame_path = self._shelf.put("frames", one.record.value or b"")
        png = one.finding.map_png if one.finding else None
        return reason.model_copy(update={"frame_path": frame_path, "map_path": self._shelf.put("maps", png) if png else None})

    def _bury(self, one: Judged) -> Future[Position]:
        record = one.record
        origin = {
            "error": (one.error or "unknown")[:LONGEST_ERROR],
            "origin-topic": record.topic,
            "origin-topic-id": record.topic_id,
            "origin-partition": str(record.partition),
            "origin-offset": str(record.offset),
        }
        headers = [*record.headers, *((f"loupe-{name}", value.encode()) for name, value in origin.items())]
        return self._send(self._names.dead_letter, record.value or b"", record.key, headers=headers)

    def _send(
        self, topic: str, value: bytes, key: bytes | None, *, headers: Sequence[tuple[str, bytes]] = (), partition: int | None = None
    ) -> Future[Position]:
        return self._publisher.send(topic, value, key=key, headers=headers, partition=partition, wait_s=BUFFER_PATIENCE_S)

    async def _acknowledged(self, send: Callable[[], list[Future[Position]]]) -> None:
        """In a thread: while the broker is away, even sending waits for it."""
        sent = asyncio.to_thread(send)
        futures = await self._waits.until("Kafka to take inspections", sent)
        await self._waits.until("Kafka to acknowledge inspections", asyncio.wrap_future(_all(futures)))


def _all(futures: Sequence[Future[Position]]) -> Future[None]:
    """Done when all are, failed as the first that failed: one hop to the event loop a batch, not one a record."""
    done: Future[None] = Future()
    done.set_running_or_notify_cancel()
    lock, left = threading.Lock(), [len(futures)]

    def one_less(future: Future[Position]) -> None:
        with lock:
            left[0] -= 1
            last = left[0] == 0
        if last:
            failed = next((error for each in futures if (error := each.exception()) is not None), None)
            done.set_exception(failed) if failed is not None else done.set_result(None)

    if not futures:
        done.set_result(None)
    for future in futures:
        future.add_done_callback(one_less)
    return done


def _archived(reason: str, probability: float) -> Archived:
    return Archived.model_construct(reason=reason, probability=probability, frame_path="", map_path=None)


def _key(one: Judged) -> bytes | None:
    return one.frame.key if one.frame is not None else one.record.key


def _frame_id(one: Judged) -> str:
    """A record that does not say which frame it is still gets one, so that every offset has its inspection."""
    return str(one.frame.frame_id) if one.frame is not None else f"unknown/unknown/p{one.record.partition}/{one.record.offset}"


def _product(one: Judged) -> str | None:
    """As which it was judged."""
    return one.active.product if one.active is not None else one.frame.product if one.frame is not None else None


def _inspection(one: Judged, archived: Archived | None, written_at: datetime) -> Inspection:
    frame, finding, record = one.frame, one.finding, one.record
    judging = one.active if finding is not None else None
    return Inspection(
        frame_id=_frame_id(one),
        outcome=one.outcome,
        source=Source(topic_id=record.topic_id, partition=record.partition, offset=record.offset),
        timings=Timings(
            captured_at=frame.captured_at if frame else one.received_at,
            received_at=one.received_at,
            decoded_at=one.decoded_at,
            inferred_at=one.inferred_at,
            written_at=written_at,
        ),
        part_id=frame.part_id if frame else None,
        product=_product(one),
        truth=frame.truth if frame else None,
        score=finding.score if finding else None,
        decision=finding.decision if finding else None,
        regions=finding.regions if finding else (),
        map_kind=finding.map_kind if finding else None,
        width=(finding.width or None) if finding else None,
        height=(finding.height or None) if finding else None,
        model_version=judging.model_version if judging else None,
        calibration_id=judging.calibration.calibration_id if judging and judging.calibration else None,
        archived=archived,
        error=one.error[:LONGEST_ERROR] if one.error else None,
    )
