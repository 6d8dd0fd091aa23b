"""Frames through the real Kafka, Serve application, recorder and Redis: how fast, at what cost, and is every one of them there, once.

Bare kafka-python moves the same frames in the same run, half of them before and half after, so that a machine that slows down in
between is seen and the ratio says what inspection costs on top of the bus.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal

from services.bus.subscriber import read_all
from services.bus.topics import begin_offsets, delete_groups, delete_topics, end_offsets, ensure_topics, topic_id
from services.cli.measuring import cpu
from services.cli.measuring.accounts import Account, account
from services.cli.measuring.frames import LIVE_LENGTH, Load
from services.cli.measuring.ground import Ground, ground, recorder
from services.cli.measuring.senders import Sent, bare_consumer, bare_producer, camera, sender
from services.contract.inspection import Calibration, Inspection
from services.contract.names import Names
from services.contract.settings import Settings
from services.inspection.deploy import deploy, undeploy
from services.records.migrations import migrate
from services.records.store import Records
from services.results.connection import Redis, connect, connect_async
from services.results.live import LiveReader

log = logging.getLogger(__name__)

Detector = Literal["null", "decode"]
WARM_UP_FRAMES = 512
POLL_S = 0.02
STALLED_AFTER_S = 90.0
NO_MODEL = "0" * 64
"""Stand-in detectors load nothing; a line without a model would have its frames recorded, not inspected."""


class StalledError(RuntimeError):
    """Frames stopped coming through."""


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """`frames_per_s` from the first frame sent to the last one in Redis; `bare_frames_per_s` from the first sent to the last consumed."""

    frames: int
    size_kb: int
    detector: Detector
    frames_per_s: float
    bare_frames_per_s: float
    ratio_to_bare: float
    lost: int
    double: int
    cpu_ms_per_frame: dict[str, float]
    bare_cpu_ms_per_frame: dict[str, float]
    seconds: float
    bare_runs_frames_per_s: list[float]
    acknowledged: int
    own_stack: bool
    partitions: int
    inspector_replicas: int

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Passage:
    """One load through the pipeline, or through Kafka alone."""

    frames: int
    seconds: float
    cpu_s: dict[str, float]

    @property
    def frames_per_s(self) -> float:
        return round(self.frames / self.seconds, 1)


@dataclass(frozen=True, slots=True)
class _Runs:
    """What one benchmark saw."""

    pipeline: _Passage
    acknowledged: int
    bare: tuple[_Passage, ...]
    accounts: Account


def measure(installation: Settings, *, frames: int, size_kb: int, detector: Detector, replicas: int = 1) -> PipelineReport:
    """Raises StalledError and the errors of the rooms that it drives."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}-"
    sections = {
        "inspection": {"detector": detector},
        "inspector": {"min_replicas": replicas, "max_replicas": replicas},
        "redis": {"live_length": LIVE_LENGTH},
    }
    with ground(installation, prefix=prefix, **sections) as standing:
        runs = _run(standing, frames, size_kb)
    return _report(runs, standing, size_kb)


def _run(standing: Ground, frames: int, size_kb: int) -> _Runs:
    settings, load = standing.settings, Load("timed", frames)
    with _pipeline(standing, load) as meter:
        _pass(settings, Load("warm", min(frames, WARM_UP_FRAMES)), size_kb, meter)
        before = _bare(standing, Load("before", frames - frames // 2), size_kb)
        passage, sent = _pass(settings, load, size_kb, meter)
        after = _bare(standing, Load("after", frames // 2), size_kb)
        return _Runs(passage, sent.acknowledged, (before, after), _in_inspections(settings, load) | _in_redis(settings, load))


def _report(runs: _Runs, standing: Ground, size_kb: int) -> PipelineReport:
    frames, settings, bare_s = runs.pipeline.frames, standing.settings, sum(one.seconds for one in runs.bare)
    bare_cpu_s = {name: sum(one.cpu_s[name] for one in runs.bare) for name in runs.bare[0].cpu_s}
    return PipelineReport(
        frames=frames,
        size_kb=size_kb,
        detector="decode" if settings.inspection.detector == "decode" else "null",
        frames_per_s=runs.pipeline.frames_per_s,
        bare_frames_per_s=round(frames / bare_s, 1),
        ratio_to_bare=round(bare_s / runs.pipeline.seconds, 3),
        lost=len(runs.accounts.lost),
        double=len(runs.accounts.double),
        cpu_ms_per_frame=_per_frame(runs.pipeline.cpu_s, frames),
        bare_cpu_ms_per_frame=_per_frame(bare_cpu_s, frames),
        seconds=round(runs.pipeline.seconds, 2),
        bare_runs_frames_per_s=[one.frames_per_s for one in runs.bare],
        acknowledged=runs.acknowledged,
        own_stack=standing.own,
        partitions=settings.kafka.partitions,
        inspector_replicas=settings.inspector.max_replicas,
    )


@contextmanager
def _pipeline(standing: Ground, load: Load) -> Iterator[cpu.CpuMeter]:
    """Topics, lines that are judged, a recorder and the application; gone without a trace when the block ends."""
    settings = standing.settings
    ensure_topics(settings)
    _judged_lines(settings, {*load.lines})
    with recorder(settings) as recorder_pid:
        log.info("deploying %s with the detector %s", settings.names.application, settings.inspection.detector)
        try:
            deploy(settings)
            yield cpu.CpuMeter({**standing.pids, "recorder": recorder_pid}, settings.names.application)
        finally:
            if not standing.own:
                undeploy(settings)
    if not standing.own:
        clear(settings)


def _judged_lines(settings: Settings, lines: set[str]) -> None:
    migrate(settings.records_url)
    records = Records(settings.records_url)
    calibration = Calibration(calibration_id="bench", review=0.5, fail=0.9)
    for line in sorted(lines):
        records.add_line(line)
        records.add_calibration(line, NO_MODEL, calibration)
        records.activate(line, NO_MODEL, calibration.calibration_id, by="loupe bench")
    records.close()


def _pass(settings: Settings, load: Load, size_kb: int, meter: cpu.CpuMeter) -> tuple[_Passage, Sent]:
    """Sends a load and waits until the recorder has written the last of it."""
    log.info("sending %d frames of %d kB", load.frames, size_kb)
    with sender("camera", camera, settings, load, size_kb) as sending:
        reading = meter.read()
        sending.go()
        sent: Sent = sending.result()
        ended_at = _drained(settings)
        cpu_s = cpu.spent(reading, meter.read())
    return _Passage(load.frames, ended_at - sent.began_at, {**cpu_s, "camera": sent.cpu_s}), sent


def _drained(settings: Settings) -> float:
    """When (`time.monotonic`) the recorder's high water reached the end of the frames. Raises StalledError."""
    frames = settings.names.frames
    identity, ends = topic_id(settings, frames), end_offsets(settings, frames)
    wanted = {Names.written_field(identity, partition): end - 1 for partition, end in ends.items() if end > 0}
    redis = connect(settings)
    moved_at, left = time.monotonic(), -1
    while True:
        behind = _behind(redis, settings.names, wanted)
        now = time.monotonic()
        if not behind:
            redis.close()
            return now
        if behind != left:
            moved_at, left = now, behind
        if now - moved_at > STALLED_AFTER_S:
            raise StalledError(f"pipeline: {behind} frames are left and none moved for {STALLED_AFTER_S:g} s; see the logs of Ray and of the recorder")
        time.sleep(POLL_S)


def _behind(redis: Redis, names: Names, wanted: dict[str, int]) -> int:
    """Frames that the recorder has not written yet."""
    found = redis.hmget(names.written, list(wanted))
    return sum(max(0, last - (-1 if stands is None else int(stands))) for last, stands in zip(wanted.values(), found, strict=True))


def _bare(standing: Ground, load: Load, size_kb: int) -> _Passage:
    """kafka-python alone: same options, same topic configuration, two processes."""
    log.info("bare kafka-python: %d frames", load.frames)
    own = standing.settings.model_copy(update={"names_prefix": f"{standing.settings.names_prefix}{load.session}-"})
    ensure_topics(own)
    try:
        with sender("bare consumer", bare_consumer, own, load.frames) as consuming, sender("bare producer", bare_producer, own, load, size_kb) as producing:
            broker = {name: pid for name, pid in standing.pids.items() if name == "kafka"}
            meter = cpu.CpuMeter({**broker, "producer": producing.pid, "consumer": consuming.pid}, own.names.application)
            reading = meter.read()
            producing.go()
            began_at: float = producing.result()
            ended_at: float = consuming.result()
            cpu_s = cpu.spent(reading, meter.read())
    finally:
        delete_topics(own, _topics(own.names))
    return _Passage(load.frames, ended_at - began_at, cpu_s)


def _in_inspections(settings: Settings, load: Load) -> Account:
    topic = settings.names.inspections
    records = read_all(settings, topic, begin_offsets(settings, topic), end_offsets(settings, topic))
    came = (Inspection.from_json(record.value or b"") for record in records)
    return account(load.frame_ids(), (one.frame_id for one in came if one.identity.session == load.session))


def _in_redis(settings: Settings, load: Load) -> Account:
    came = asyncio.run(_streams(settings, load.lines))
    return account(load.frame_ids(), (one.frame_id for one in came if one.identity.session == load.session))


async def _streams(settings: Settings, lines: tuple[str, ...]) -> list[Inspection]:
    async with connect_async(settings) as redis:
        reader = LiveReader(redis, settings.names)
        return [entry.inspection for line in lines for entry in await reader.latest(line, 2 * LIVE_LENGTH)]


def _per_frame(cpu_s: dict[str, float], frames: int) -> dict[str, float]:
    """CPU milliseconds of a frame by process, the largest first, and their sum."""
    each = {name: round(seconds * 1000 / frames, 3) for name, seconds in sorted(cpu_s.items(), key=lambda one: -one[1]) if seconds * 1000 / frames >= 0.001}
    return {**each, "total": round(sum(cpu_s.values()) * 1000 / frames, 3)}


def clear(settings: Settings) -> None:
    """Topics, groups and keys of the benchmark leave the installation that lent its stores."""
    names = settings.names
    delete_topics(settings, _topics(names))
    delete_groups(settings, [names.inspection_group, names.live_group, names.records_group])
    redis = connect(settings)
    keys = list(redis.scan_iter(match=f"{names.prefix}*", count=1000))
    if keys:
        redis.delete(*keys)
    redis.close()


def _topics(names: Names) -> list[str]:
    return [names.frames, names.dead_letter, names.inspections, names.verdicts]
