"""Promotions back and forth while frames stream -> whether one is lost, judged twice or stamped with another version than judged it, and what they wait.

Every promotion is of a version that no replica has loaded before, and goes the way of the dashboard: standby, load, golden frames, flip. Broken
ones are among them. What each picture's score must be with either version is computed beforehand.
"""

import asyncio
import logging
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from models.registry import Registry, shipped
from services.bus.topics import ensure_topics
from services.cli.measuring.ground import Ground, ground
from services.cli.measuring.streamed import Stream, application
from services.cli.measuring.swap_report import Course, Swap, SwapReport, report
from services.cli.measuring.two_versions import DISTINCT, Versions, scores
from services.cli.models import jpeg
from services.contract.settings import Settings
from services.dashboard.errors import DashboardError
from services.dashboard.lines import calibrated, follow
from services.dashboard.parts import Parts, build
from services.dashboard.promotion import promote
from services.dashboard.standby import RejectedVersionError
from services.ingest.synthetic.parts import GoodParts
from services.records.audit import Actor
from services.records.errors import RecordsError
from services.records.jobs import Trigger
from services.records.migrations import migrate
from training.gate_rule import Answer

log = logging.getLogger(__name__)

LINE, KIND, BASE = "bench-swap", "brushed-metal", "demo"
BY = Actor("loupe bench", "system")
PICTURES, SEED = 16, 61_001
REST_S = 1.5
"""Between swaps at least so long, and as long as the swap took: both sides hold about as many frames."""
LEASE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Run:
    """What one benchmark works with. `expected`: folder of weights -> score of each picture."""

    standing: Ground
    parts: Parts
    versions: Versions
    pictures: tuple[bytes, ...]
    expected: dict[Path, list[float]]

    @property
    def settings(self) -> Settings:
        return self.standing.settings


def measure(installation: Settings, *, promotions: int = 20, share: float = 0.6, replicas: int = 1, capacity_s: float = 8.0) -> SwapReport:
    """`share` of what the replicas manage, found in about `capacity_s`, is streamed. Raises StalledError and the errors of the rooms that it drives."""
    sections = {"inspection": {"detector": "dsr"}, "inspector": {"min_replicas": replicas, "max_replicas": replicas}}
    with ground(installation, prefix=f"bench-{uuid.uuid4().hex[:8]}-", **sections) as standing:
        return asyncio.run(_measured(_prepared(standing), promotions, share, capacity_s))


def _prepared(standing: Ground) -> _Run:
    settings = standing.settings
    migrate(settings.records_url)
    ensure_topics(settings)
    versions = Versions.made(shipped(BASE), settings.home / "weights", registry=Registry(settings.models_path), line=LINE)
    parts = GoodParts(KIND, SEED)
    pictures = tuple(jpeg(parts.good(number).image) for number in range(PICTURES))
    expected = {folder: scores(folder, pictures, threads=settings.inspector.threads) for folder in (versions.plain, versions.suspicious)}
    assert min(abs(one - other) for one, other in zip(*expected.values(), strict=True)) > DISTINCT
    return _Run(standing, build(settings), versions, pictures, expected)


async def _measured(run: _Run, promotions: int, share: float, capacity_s: float) -> SwapReport:
    stream = Stream(run.settings, LINE, run.pictures)
    try:
        course = await _first(run)
        with application(run.standing):
            capacity = await asyncio.to_thread(stream.capacity, capacity_s)
            with stream.paced("timed", share * capacity) as sending:
                before, began_at = stream.written(), time.monotonic()
                sending.go()
                await _swap(run, course, promotions)
                sending.go()
                sent: list[str] = await asyncio.to_thread(sending.result)
                seconds = time.monotonic() - began_at
            await asyncio.to_thread(stream.wait_written, before + len(sent))
            inspections = stream.inspections("timed")
    finally:
        await run.parts.store.close()
    pictures = {frame_id: number % len(run.pictures) for number, frame_id in enumerate(sent)}
    replicas = run.settings.inspector.max_replicas
    return report(course, pictures, inspections, capacity=capacity, seconds=seconds, replicas=replicas, own_stack=run.standing.own)


async def _first(run: _Run) -> Course:
    """A line that a suspicious version judges: what it flags costs more, and the load is a share of what the slower one manages."""
    version = run.versions.copied(run.versions.suspicious, 0)
    await asyncio.to_thread(run.parts.records.add_line, LINE, judged_by=calibrated(LINE, version, run.settings), by=BY)
    await follow(LINE, run.parts.records, run.parts.store)
    return Course({version: run.expected[run.versions.suspicious]})


async def _swap(run: _Run, course: Course, promotions: int) -> None:
    """The other weights each time; a broken version after a third and after two thirds of them."""
    broken = {promotions // 3: run.versions.cut_off, 2 * promotions // 3: run.versions.with_other_scores}
    for number in range(1, promotions + 1):
        weights = run.versions.plain if number % 2 else run.versions.suspicious
        version = run.versions.copied(weights, number)
        course.expected[version] = run.expected[weights]
        await _promoted(run, course, version)
        if number in broken:
            await _refused(run, course, broken[number]())


async def _promoted(run: _Run, course: Course, version: str) -> None:
    began_at = datetime.now(UTC)
    try:
        await promote(run.parts, await asyncio.to_thread(_passed, run.parts, version), None, BY)
    except (DashboardError, RecordsError) as error:
        course.errors.append(f"promotion {len(course.promoted) + 1}: {error}")
    else:
        course.promoted.append(Swap(began_at, datetime.now(UTC)))
        if _judges(run.parts) != version:
            course.errors.append(f"promotion {len(course.promoted)}: something else judges the line")
    await _rest(began_at)


async def _refused(run: _Run, course: Course, version: str) -> None:
    began_at, judged = datetime.now(UTC), _judges(run.parts)
    try:
        await promote(run.parts, await asyncio.to_thread(_passed, run.parts, version), None, BY)
        course.errors.append(f"model {version[:12]} is broken and was promoted")
    except RejectedVersionError as error:
        log.info("refused: %s", error)
        course.rejected.append(Swap(began_at, datetime.now(UTC)))
    except (DashboardError, RecordsError) as error:
        course.errors.append(f"model {version[:12]} is broken and was refused for another reason: {error}")
    if _judges(run.parts) != judged:
        course.errors.append(f"model {version[:12]} was refused, and something else judges the line")
    await _rest(began_at)


async def _rest(began_at: datetime) -> None:
    await asyncio.sleep(max(REST_S, (datetime.now(UTC) - began_at).total_seconds()) + 1.0)


def _passed(parts: Parts, version: str) -> str:
    """A retraining that ended with this candidate, compared with what judges now."""
    job, _ = parts.jobs.ask(LINE, Trigger.CLICK, BY)
    parts.jobs.claim(BY.name, LEASE)
    parts.jobs.finish(job.id, BY.name, {"candidate": version, "champion": _judges(parts), "gate": {"answer": Answer.PASSED.value, "reasons": []}})
    return job.id


def _judges(parts: Parts) -> str | None:
    return parts.records.active(LINE).model_version
