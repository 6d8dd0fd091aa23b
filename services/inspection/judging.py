"""A micro-batch of records -> what is to be said of each: failed, recorded, late, or what an Inspector replica found.

Frames of one batch may belong to lines and products with different model versions: split by version to be asked, joined again for the one write.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from services.bus.record import Record
from services.contract.frame import Frame, InvalidFrameError
from services.contract.inspection import Active, Outcome
from services.inspection.activations import Activations
from services.inspection.errors import OutageError, ReplicaDiedError
from services.inspection.finding import Answer, Finding, FrameFault, Question
from services.inspection.waits import Waits

log = logging.getLogger(__name__)

DEATHS_BLAMED = 2
"""So many replicas must die with the same frames in hand before the frames are tried one by one, and a single one alone before it is blamed."""
FIRST_RETRY_S, LONGEST_RETRY_S = 0.25, 5.0
ANSWER_PATIENCE_S = 10.0


class Inspector(Protocol):
    """Where frames are judged. Raises ReplicaDiedError, or OutageError for anything that may pass."""

    async def ask(self, question: Question) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """One record and what is to be said of it. `frame` is missing where the record does not say which frame it is."""

    record: Record
    received_at: datetime
    outcome: Outcome
    frame: Frame | None = None
    active: Active | None = None
    finding: Finding | None = None
    error: str | None = None
    decoded_at: datetime | None = None
    inferred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """Findings by our own clock."""

    findings: Sequence[Finding | FrameFault]
    decoded_at: datetime
    inferred_at: datetime


def utc_now() -> datetime:
    return datetime.now(UTC)


class Places:
    """How many micro-batches may be with the replicas at once. A place is never held while something is waited for."""

    def __init__(self, places: int) -> None:
        self._all, self._free, self._alone = places, asyncio.Semaphore(places), asyncio.Lock()

    async def room(self) -> None:
        """Returns when a place is free, without taking it: a batch cut late is a fuller one."""
        async with self._free:
            return

    async def take(self) -> None:
        await self._free.acquire()

    def give(self) -> None:
        self._free.release()

    async def take_all(self) -> None:
        """For a frame under suspicion: nothing else of ours may be there to be blamed on it."""
        async with self._alone:
            for _ in range(self._all):
                await self._free.acquire()

    def give_all(self) -> None:
        for _ in range(self._all):
            self._free.release()


class Judge:
    """Turns batches into judged frames; waits out outages, so that whatever it returns is final."""

    def __init__(self, inspector: Inspector, activations: Activations, waits: Waits, places: Places, *, now: Callable[[], datetime] = utc_now) -> None:
        self._inspector, self._activations, self._waits, self._places, self._now = inspector, activations, waits, places, now

    async def judge(self, records: Sequence[Record], received_at: datetime) -> list[Judged]:
        """In the order of the records."""
        parsed = [_parsed(record, received_at) for record in records]
        lines = {one.frame.frame_id.line for one in parsed if one.frame is not None}
        active = await self._activations.of(lines)
        sorted_out = [self._sorted_out(one, active) for one in parsed]
        groups = _by_model_version(sorted_out)
        found = await asyncio.gather(*(self._group(version, [sorted_out[index] for index in members]) for version, members in groups.items()))
        for members, judged in zip(groups.values(), found, strict=True):
            for index, one in zip(members, judged, strict=True):
                sorted_out[index] = one
        return sorted_out

    def _sorted_out(self, one: Judged, active: dict[str, Active]) -> Judged:
        """Settles everything but what must be asked, which keeps the outcome `inspected`."""
        if one.frame is None:
            return one
        judged_by = active[one.frame.frame_id.line].of_product(one.frame.product)
        if not judged_by.judging:
            return replace(one, active=judged_by, outcome=Outcome.RECORDED)
        if one.frame.deadline_at is not None and one.frame.deadline_at < self._now():
            return replace(one, active=judged_by, outcome=Outcome.LATE)
        return replace(one, active=judged_by)

    async def _group(self, version: str, members: list[Judged]) -> list[Judged]:
        asked = await self._ask_until_answered(self._question(version, members))
        return [_with(one, finding, asked) for one, finding in zip(members, asked.findings, strict=True)]

    def _question(self, version: str, members: list[Judged]) -> Question:
        frames = [one.frame for one in members if one.frame is not None]
        calibrations = [one.active.calibration for one in members if one.active is not None and one.active.calibration is not None]
        watched = [self._activations.is_watched(frame.frame_id.line) for frame in frames]
        return Question(version, [frame.image for frame in frames], calibrations, watched)

    async def _ask_until_answered(self, question: Question) -> _Asked:
        deaths, retry_s = 0, FIRST_RETRY_S
        while deaths < DEATHS_BLAMED:
            try:
                await self._places.take()
                try:
                    return await self._ask(question)
                finally:
                    self._places.give()
            except ReplicaDiedError as error:
                deaths += 1
                log.warning("a replica died with %d frames in hand: %s", len(question.images), error)
                await asyncio.sleep(retry_s)
            except OutageError as outage:
                await self._waits.pause(str(outage), retry_s)
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)
        return await self._one_by_one(question)

    async def _one_by_one(self, question: Question) -> _Asked:
        log.warning("trying %d frames one by one: %d replicas died with them in hand", len(question.images), DEATHS_BLAMED)
        asked = [await self._alone(single) for single in _singles(question)]
        return _Asked([one.findings[0] for one in asked], asked[-1].decoded_at, asked[-1].inferred_at)

    async def _alone(self, single: Question) -> _Asked:
        """Asks for one frame with nothing else of ours at the replicas; one that kills two of them is at fault itself."""
        deaths, retry_s = 0, FIRST_RETRY_S
        while deaths < DEATHS_BLAMED:
            await self._places.take_all()
            try:
                return await self._ask(single)
            except ReplicaDiedError as error:
                deaths += 1
                log.warning("a replica died with a single frame in hand: %s", error)
            except OutageError as outage:
                await self._waits.pause(str(outage), retry_s)
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)
            finally:
                self._places.give_all()
        now = self._now()
        return _Asked([FrameFault(f"killed {DEATHS_BLAMED} Inspector replicas, alone")], now, now)

    async def _ask(self, question: Question) -> _Asked:
        answer = await self._waits.until(
            "an answer from an Inspector replica (none is up, or all are busy)", self._inspector.ask(question), patience_s=ANSWER_PATIENCE_S
        )
        inferred_at = self._now()
        return _Asked(answer.findings, inferred_at - timedelta(seconds=answer.since_decoded_s), inferred_at)


def _parsed(record: Record, received_at: datetime) -> Judged:
    try:
        frame = Frame.from_record(record.headers, record.value)
    except InvalidFrameError as error:
        return Judged(record, received_at, Outcome.FAILED, error=str(error))
    return Judged(record, received_at, Outcome.INSPECTED, frame)


def _by_model_version(judged: Sequence[Judged]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for index, one in enumerate(judged):
        if one.outcome is Outcome.INSPECTED and one.active is not None and one.active.model_version is not None:
            groups.setdefault(one.active.model_version, []).append(index)
    return groups


def _with(one: Judged, finding: Finding | FrameFault, asked: _Asked) -> Judged:
    decoded_at = max(asked.decoded_at, one.received_at)  # the replica measured with its own stopwatch
    if isinstance(finding, FrameFault):
        return replace(one, outcome=Outcome.FAILED, error=finding.error)
    return replace(one, finding=finding, decoded_at=decoded_at, inferred_at=max(asked.inferred_at, decoded_at))


def _singles(question: Question) -> list[Question]:
    rows = zip(question.images, question.calibrations, question.wants_map, strict=True)
    return [Question(question.model_version, [image], [calibration], [wants]) for image, calibration, wants in rows]
