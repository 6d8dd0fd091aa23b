"""One line's frames while its model is taught anew on the same machine -> what that adds to their latency, and how many wait meanwhile.

The same stream is measured twice in one run: alone, and from the training's first step on.
"""

import logging
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from infra.embedded.process import RunningProcess
from models.registry import Registry, shipped
from services.bus.topics import ensure_topics
from services.cli.measuring.accounts import account
from services.cli.measuring.ground import Ground, ground, service
from services.cli.measuring.streamed import Stream, application
from services.cli.models import jpeg
from services.cli.synthesize import write_good
from services.contract.inspection import Inspection
from services.contract.settings import Settings
from services.dashboard.lines import calibrated
from services.ingest.synthetic.parts import GoodParts
from services.records.audit import Actor
from services.records.database import Database
from services.records.jobs import Job, Jobs, JobState, Trigger
from services.records.migrations import migrate
from services.records.store import Records
from services.results.active import set_active
from services.results.connection import connect
from training.dataset_import import import_mvtec
from training.line_datasets import LineDatasets
from training.loop import TrainingError

log = logging.getLogger(__name__)

LINE, BASE = "brushed-metal", "demo"
"""The shipped model judges this line with thresholds of its own."""
BY = Actor("loupe bench", "system")
PICTURES, HISTORY, SEED = 16, 160, 62_001
SESSION = "timed"
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Phase:
    began_at: datetime
    ended_at: datetime

    def holds(self, inspection: Inspection) -> bool:
        return self.began_at <= inspection.timings.captured_at < self.ended_at


@dataclass(frozen=True, slots=True)
class BesideReport:
    """Milliseconds are from captured to written. `most_waiting_*`: frames that were captured and not yet written, at the worst moment."""

    p95_ratio: float
    p50_before_ms: float
    p95_before_ms: float
    p50_during_ms: float
    p95_during_ms: float
    max_before_ms: float
    max_during_ms: float
    most_waiting_before: int
    most_waiting_during: int
    waiting_at_end: int
    frames_before: int
    frames_during: int
    lost: int
    double: int
    load: float
    capacity_frames_per_s: float
    training: str
    """How far it came while it was measured."""
    training_steps_per_s: float
    seconds_before: float
    seconds_during: float
    own_stack: bool

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def measure(installation: Settings, *, share: float = 0.5, seconds: float = 60.0, capacity_s: float = 8.0) -> BesideReport:
    """`share` of what one replica manages streams for `seconds` alone, and for at most as long beside a training, which is cancelled then.

    Raises StalledError, TrainingError and the errors of the rooms that it drives.
    """
    taught = {"after_verdicts": 0, "every_hours": None}
    sections = {"inspection": {"detector": "dsr"}, "inspector": {"min_replicas": 1, "max_replicas": 1}, "retraining": taught}
    with ground(installation, prefix=f"bench-{uuid.uuid4().hex[:8]}-", **sections) as standing:
        settings = standing.settings
        migrate(settings.records_url)
        ensure_topics(settings)
        with closing(Database(settings.records_url)) as database, closing(Records(settings.records_url)) as records:
            _line(settings, database, records)
            with (
                application(standing),
                service(settings, "trainer", ray={"address": settings.ray_address}, retraining=taught) as trainer,
            ):
                return _measured(standing, Taught(Jobs(database), trainer), share, seconds, capacity_s)


@dataclass(frozen=True, slots=True)
class Taught:
    """The line's retraining, by the trainer's own process."""

    jobs: Jobs
    trainer: RunningProcess

    def begin(self) -> Job:
        """Returns at its first step. Raises TrainingError where it ends before."""
        job, _ = self.jobs.ask(LINE, Trigger.CLICK, BY)
        while not job.progress:
            job = self._later(job)
            if not job.state.open:
                raise TrainingError(f"job {job.id}: {job.state} before its first step, {job.error}")
        return job

    def go_on(self, job: Job, seconds: float) -> Job:
        """For so long, or until it has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and job.state.open:
            job = self._later(job)
        if job.state is JobState.FAILED:
            raise TrainingError(f"job {job.id}: {job.error}")
        return job

    def end(self, job: Job) -> None:
        self.jobs.cancel(job.id, BY)
        while job.state.open:
            job = self._later(job)

    def _later(self, job: Job) -> Job:
        if self.trainer.exit_code is not None:
            raise TrainingError(f"trainer: ended with {self.trainer.exit_code}: {' / '.join(self.trainer.log.last_lines())}")
        time.sleep(LOOK_S)
        return self.jobs.job(job.id)


def _line(settings: Settings, database: Database, records: Records) -> None:
    """Judged by the shipped model, with good parts in its history, so that there is something to learn from."""
    version = Registry(settings.models_path).add(shipped(BASE))
    records.add_line(LINE, judged_by=calibrated(LINE, version.id, settings), by=BY)
    with closing(connect(settings)) as redis:
        set_active(redis, settings.names, records.active(LINE))
    folder = Path(settings.home / "history")
    write_good(folder / "train" / "good", LINE, count=HISTORY, seed=SEED)
    datasets = LineDatasets.of(settings, database, records)
    datasets.all.add_history(LINE, import_mvtec(folder, datasets.pictures, line=LINE, given_at=datetime.now(UTC)).verdicts)


def _measured(standing: Ground, taught: Taught, share: float, seconds: float, capacity_s: float) -> BesideReport:
    parts = GoodParts(LINE, SEED + 1)
    stream = Stream(standing.settings, LINE, [jpeg(parts.good(number).image) for number in range(PICTURES)])
    capacity = stream.capacity(capacity_s)
    with stream.paced(SESSION, share * capacity) as sending:
        written = stream.written()
        sending.go()
        began_at = datetime.now(UTC)
        time.sleep(seconds)
        before = Phase(began_at, datetime.now(UTC))
        job = taught.begin()
        began_at = datetime.now(UTC)
        job = taught.go_on(job, seconds)
        during = Phase(began_at, datetime.now(UTC))
        taught.end(job)
        sending.go()
        sent: list[str] = sending.result()
    stream.wait_written(written + len(sent))
    return report(sent, stream.inspections(SESSION), before, during, job, capacity=capacity, own_stack=standing.own)


def report(sent: Sequence[str], inspections: Sequence[Inspection], before: Phase, during: Phase, job: Job, *, capacity: float, own_stack: bool) -> BesideReport:
    came = account(sent, (one.frame_id for one in inspections))
    alone, beside = ([one.latency_ms for one in inspections if phase.holds(one)] for phase in (before, during))
    lasted, taught = ((phase.ended_at - phase.began_at).total_seconds() for phase in (before, during))
    return BesideReport(
        p95_ratio=round(_quantile(beside, 0.95) / max(_quantile(alone, 0.95), 1e-9), 2),
        p50_before_ms=_quantile(alone, 0.5),
        p95_before_ms=_quantile(alone, 0.95),
        p50_during_ms=_quantile(beside, 0.5),
        p95_during_ms=_quantile(beside, 0.95),
        max_before_ms=_quantile(alone, 1),
        max_during_ms=_quantile(beside, 1),
        most_waiting_before=max(_waiting(inspections, before), default=0),
        most_waiting_during=max(_waiting(inspections, during), default=0),
        waiting_at_end=next(reversed(_waiting(inspections, during)), 0),
        frames_before=len(alone),
        frames_during=len(beside),
        lost=len(came.lost),
        double=len(came.double),
        load=round(len(alone) / lasted / capacity, 3),
        capacity_frames_per_s=round(capacity, 1),
        training=f"{job.progress['stage']} {job.progress['step']}/{job.progress['steps']}" if job.state.open else str(job.state),
        training_steps_per_s=round(job.progress.get("steps_per_s") or 0.0, 2),
        seconds_before=round(lasted, 1),
        seconds_during=round(taught, 1),
        own_stack=own_stack,
    )


def _waiting(inspections: Iterable[Inspection], phase: Phase) -> list[int]:
    """Frames on their way, after each change within the phase."""
    changes = sorted(change for one in inspections for change in ((one.timings.captured_at, 1), (one.timings.written_at, -1)))
    on_their_way = np.cumsum([step for _, step in changes]).tolist()
    return [number for (moment, _), number in zip(changes, on_their_way, strict=True) if phase.began_at <= moment < phase.ended_at]


def _quantile(values: Sequence[float], share: float) -> float:
    return round(float(np.quantile(values, share)), 1) if values else 0.0
