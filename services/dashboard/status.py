"""Kafka, Redis, SQL and Ray -> one account of how the plant is: lines, ledger, lag, latency, replicas, models.

Every store may be away: what it would have said is then missing, and `problems` says so in words.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from models.registry import Registry, RegistryError
from services.bus.errors import BusError
from services.bus.topics import begin_offsets, end_offsets, topic_id
from services.contract.inspection import Active, Decision, Outcome
from services.contract.names import Names
from services.contract.settings import Settings, SettingsError
from services.inspection.deploy import DeploymentState, replica_state
from services.inspection.errors import InspectionError
from services.inspection.state import ConsumerState
from services.records.errors import RecordsError
from services.records.store import Camera, Line, Records
from services.results import histogram
from services.results.active import get_actives_async
from services.results.connection import AsyncRedis, ResultsError, connect_async
from services.results.history_state import HistoryState, read_history_state
from services.results.live import Counts, Ledger, LiveReader, Minute
from services.results.sources import SourceState, read_sources

MINUTES = 5
"""Rates and latencies are of the minute that runs and the ones before it, this many in all."""
SILENT_AFTER_S = 10.0
BEHIND = 500
"""Inspections that the recorder may have yet to write before it is a problem."""

Found = TypeVar("Found")


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class CameraStatus(_View):
    id: str
    source: str
    state: Literal["up", "down", "paused", "unknown"]
    error: str = ""
    sent: int = Field(default=0, description="acknowledged by the broker since ingest started")
    dropped: int = 0


class TruthStatus(_View):
    """Against what the source knows of its parts (synthetic lines, labelled folders)."""

    defects: int
    defects_flagged: int
    good: int
    good_passed: int


class LineStatus(_View):
    id: str
    name: str
    state: Literal["inspecting", "recording", "paused", "no-signal", "unknown"]
    model_version: str | None = None
    calibration_id: str | None = None
    frames_per_s: float = 0.0
    p50_ms: float | None = None
    p95_ms: float | None = None
    inspected: int = 0
    recorded: int = 0
    failed: int = 0
    late: int = 0
    flagged: int = 0
    truth: TruthStatus | None = None
    cameras: tuple[CameraStatus, ...] = ()


class LedgerStatus(_View):
    """Frames acknowledged by the broker, and what became of them. All but `in_flight` is final."""

    sent: int
    inspected: int
    recorded: int
    failed: int
    late: int
    expired: int
    forgotten: int = Field(description="inspected, but their inspections had been deleted by retention when the live view was rebuilt")
    in_flight: int
    balanced: bool = Field(description="sent = all of these: nothing was counted twice, or without having been sent")
    redelivered: int = Field(description="second inspections of a frame, not counted")


class LagStatus(_View):
    frames: int
    seconds: float | None = Field(default=None, description="at the present rate; none while nothing is inspected")


class LatencyStatus(_View):
    p50_ms: float | None = None
    p95_ms: float | None = None
    clock_skew: int = Field(default=0, description="frames whose camera's clock runs ahead of ours")


class ReplicaStatus(_View):
    application: str
    min: int | None = None
    max: int | None = None
    target: int = 0
    running: int = 0
    starting: int = 0
    frame_consumers: int = 0
    message: str = ""


class ModelStatus(_View):
    id: str
    name: str
    lines: tuple[str, ...]


class Status(_View):
    at: datetime
    lines: tuple[LineStatus, ...] = ()
    ledger: LedgerStatus | None = None
    lag: LagStatus | None = None
    latency: LatencyStatus = LatencyStatus()
    replicas: ReplicaStatus | None = None
    models: tuple[ModelStatus, ...] = ()
    problems: tuple[str, ...] = ()


def collect(settings: Settings) -> Status:
    """Blocking: call it in a thread."""
    problems: list[str] = []
    with ThreadPoolExecutor(2) as others:  # each waits for seconds where its store is away
        replicas_asked = others.submit(_asked, lambda: _replicas(settings), problems, InspectionError)
        lines, cameras = _asked(lambda: _decided(settings), problems, RecordsError) or ((), ())
        live = _asked(lambda: asyncio.run(_live(settings, lines, cameras)), problems, ResultsError) or _Live()
        kafka = _asked(lambda: _kafka(settings, live.written), problems, BusError)  # after Redis: what it counted had been sent by then
        replicas = replicas_asked.result()
    rows = tuple(_line(line, [one for one in cameras if one.line == line.id], live) for line in lines)
    ledger = _ledger(kafka.sent, live.ledgers.get(kafka.topic_id, Ledger())) if kafka and live.answered else None
    problems += [f"frame consumer {one.rank} waits for {', '.join(one.waiting_for)}" for one in live.consumers if one.waiting_for and not one.is_stale]
    problems += [f"nothing is added to {live.history.problem}"] if live.history and live.history.problem else []
    problems += _line_problems(rows)
    problems += _ledger_problems(ledger, kafka.unrecorded if kafka and live.answered else 0)
    return Status(
        at=datetime.now(UTC),
        lines=rows,
        ledger=ledger,
        lag=_lag(live.consumers),
        latency=_latency(live),
        replicas=replicas,
        models=_models(settings, live, problems),
        problems=tuple(problems),
    )


@dataclass(frozen=True, slots=True)
class _Live:
    """What Redis says; empty where it does not answer."""

    answered: bool = False
    actives: dict[str, Active] = field(default_factory=dict)
    sources: dict[tuple[str, str], SourceState] = field(default_factory=dict)
    totals: dict[str, Counts] = field(default_factory=dict)
    minutes: dict[str, Sequence[Minute]] = field(default_factory=dict)
    consumers: Sequence[ConsumerState] = ()
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    history: HistoryState | None = None


@dataclass(frozen=True, slots=True)
class _Kafka:
    topic_id: str
    sent: int
    unrecorded: int
    """Inspections that are not in the live view yet."""


def _asked(ask: Callable[[], Found], problems: list[str], failure: type[Exception]) -> Found | None:
    try:
        return ask()
    except (failure, SettingsError, OSError) as error:
        problems.append(str(error) or type(error).__name__)
        return None


def _decided(settings: Settings) -> tuple[tuple[Line, ...], tuple[Camera, ...]]:
    records = Records(settings.records_url)
    try:
        return records.lines(), records.cameras()
    finally:
        records.close()


def _kafka(settings: Settings, written: Mapping[str, int]) -> _Kafka:
    frames, inspections = settings.names.frames, settings.names.inspections
    identity, ends = topic_id(settings, inspections), end_offsets(settings, inspections)
    begins = begin_offsets(settings, inspections)
    read = {partition: max(begins[partition], written.get(Names.written_field(identity, partition), -1) + 1) for partition in ends}
    sent = sum(end_offsets(settings, frames).values())
    return _Kafka(topic_id(settings, frames), sent, sum(max(0, end - read[partition]) for partition, end in ends.items()))


async def _live(settings: Settings, lines: Sequence[Line], cameras: Sequence[Camera]) -> _Live:
    redis = connect_async(settings)
    try:
        return await _read(redis, settings, [line.id for line in lines], [(camera.line, camera.id) for camera in cameras])
    finally:
        await redis.aclose()


async def _read(redis: AsyncRedis, settings: Settings, lines: Sequence[str], cameras: Sequence[tuple[str, str]]) -> _Live:
    reader, now = LiveReader(redis, settings.names), int(time.time() // 60)
    written = await reader.written()
    states = await redis.hgetall(settings.names.consumers)
    return _Live(
        answered=True,
        actives=await get_actives_async(redis, settings.names, lines),
        sources=await read_sources(redis, settings.names, cameras),
        totals={line: await reader.totals(line) for line in lines},
        minutes={line: await reader.minutes(line, now - MINUTES + 1, now) for line in lines},
        consumers=[ConsumerState.model_validate_json(value) for value in states.values()],
        ledgers={identity: await reader.ledger(identity) for identity in {place.partition("/")[0] for place in written}},
        written=written,
        history=await read_history_state(redis, settings.names),
    )


def _line(line: Line, cameras: Sequence[Camera], live: _Live) -> LineStatus:
    active, totals = live.actives.get(line.id), live.totals.get(line.id, Counts())
    recent = live.minutes.get(line.id, ())
    latencies = _latencies(recent)
    shown = tuple(_camera(camera, live.sources.get((line.id, camera.id))) for camera in cameras)
    return LineStatus(
        id=line.id,
        name=line.name,
        state=_state(line, active, shown, recent) if live.answered else "unknown",
        model_version=active.model_version if active else None,
        calibration_id=active.calibration.calibration_id if active and active.calibration else None,
        frames_per_s=round(_frames_per_s(recent), 2),
        p50_ms=_rounded(histogram.quantile(latencies, 0.5)),
        p95_ms=_rounded(histogram.quantile(latencies, 0.95)),
        inspected=totals.outcome(Outcome.INSPECTED),
        recorded=totals.outcome(Outcome.RECORDED),
        failed=totals.outcome(Outcome.FAILED),
        late=totals.outcome(Outcome.LATE),
        flagged=totals.flagged,
        truth=_truth(totals),
        cameras=shown,
    )


def _state(
    line: Line, active: Active | None, cameras: Sequence[CameraStatus], recent: Sequence[Minute]
) -> Literal["inspecting", "recording", "paused", "no-signal"]:
    if line.paused:
        return "paused"
    streams = any(camera.state == "up" for camera in cameras) or any(minute.counts.frames for minute in recent[-2:])
    if not streams:
        return "no-signal"
    return "inspecting" if active is not None and active.judging else "recording"


def _camera(camera: Camera, state: SourceState | None) -> CameraStatus:
    if state is None or state.silent_s(datetime.now(UTC)) > SILENT_AFTER_S:
        return CameraStatus(id=camera.id, source=camera.source, state="unknown", error="ingest says nothing of it")
    return CameraStatus(id=camera.id, source=camera.source, state=state.state, error=state.error, sent=state.sent, dropped=state.dropped)


def _truth(totals: Counts) -> TruthStatus | None:
    defects, good = totals.truth("defect"), totals.truth("good")
    if not defects and not good:
        return None
    missed = totals.truth("defect", Decision.PASS)
    return TruthStatus(defects=defects, defects_flagged=defects - missed, good=good, good_passed=totals.truth("good", Decision.PASS))


def _frames_per_s(recent: Sequence[Minute]) -> float:
    """Of the minute that runs and the one before it."""
    last = recent[-2:]
    seconds = time.time() - 60 * last[0].minute if last else 1.0
    return sum(minute.counts.frames for minute in last) / max(1.0, seconds)


def _latencies(recent: Sequence[Minute]) -> dict[int, int]:
    return histogram.summed(minute.counts.latencies for minute in recent)


def _latency(live: _Live) -> LatencyStatus:
    recent = [minute for minutes in live.minutes.values() for minute in minutes]
    latencies = _latencies(recent)
    return LatencyStatus(
        p50_ms=_rounded(histogram.quantile(latencies, 0.5)),
        p95_ms=_rounded(histogram.quantile(latencies, 0.95)),
        clock_skew=sum(minute.counts.clock_skew for minute in recent),
    )


def _ledger(sent: int, ledger: Ledger) -> LedgerStatus:
    counted = {name: getattr(ledger, name) for name in ("inspected", "recorded", "failed", "late", "expired", "forgotten", "redelivered")}
    return LedgerStatus(sent=sent, in_flight=max(0, sent - ledger.accounted), balanced=ledger.accounted <= sent, **counted)


def _line_problems(lines: Sequence[LineStatus]) -> list[str]:
    down = [f"camera {line.id}/{camera.id} is down: {camera.error}" for line in lines for camera in line.cameras if camera.state == "down"]
    unjudged = [f"line {line.id} has no model: its frames are recorded, not judged" for line in lines if line.state == "recording" and not line.model_version]
    return down + unjudged


def _ledger_problems(ledger: LedgerStatus | None, unrecorded: int) -> list[str]:
    problems = [f"the live view is {unrecorded} inspections behind: is the recorder running?"] if unrecorded > BEHIND else []
    if ledger is not None and ledger.expired:
        problems.append(f"{ledger.expired} frames were deleted by retention before anybody inspected them")
    if ledger is not None and not ledger.balanced:
        problems.append("more frames were counted than were sent: run `loupe rebuild`")
    return problems


def _lag(consumers: Sequence[ConsumerState]) -> LagStatus | None:
    present = [one for one in consumers if not one.is_stale]
    if not present:
        return None
    frames, rate = sum(one.lag for one in present), sum(one.frames_per_s for one in present)
    return LagStatus(frames=frames, seconds=0.0 if frames == 0 else round(frames / rate, 2) if rate else None)


def _replicas(settings: Settings) -> ReplicaStatus:
    state = replica_state(settings)
    inspector = state.inspector or DeploymentState(0, 0, 0, (), "")
    return ReplicaStatus(
        application=state.status,
        min=state.limits.min_replicas if state.limits else None,
        max=state.limits.max_replicas if state.limits else None,
        target=inspector.desired,
        running=inspector.running,
        starting=inspector.starting,
        frame_consumers=state.frame_consumer.running if state.frame_consumer else 0,
        message=inspector.message or state.message,
    )


def _models(settings: Settings, live: _Live, problems: list[str]) -> tuple[ModelStatus, ...]:
    judging: dict[str, list[str]] = {}
    for active in live.actives.values():
        if active.model_version:
            judging.setdefault(active.model_version, []).append(active.line)
    known: tuple[Any, ...] = _asked(lambda: Registry(settings.models_path).list(), problems, RegistryError) or ()
    return tuple(ModelStatus(id=one.id, name=one.name, lines=tuple(sorted(judging.get(one.id, ())))) for one in known)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
