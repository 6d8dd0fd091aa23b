"""A candidate and a line's latest frames, as far as Kafka still has them -> how it would have decided them, beside how they were decided.

On the trainer's CPU, with few threads: no replica that inspects is asked. Of more frames than are judged every n-th of each camera is.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from models.engine import Engine
from models.preprocessing import ImageError, to_tensor
from models.registry import Registry
from services.bus.errors import BusError
from services.bus.reader import offsets_at, read_all
from services.bus.record import Record
from services.bus.topics import begin_offsets, end_offsets, topic_id
from services.contract.frame import Frame, InvalidFrameError
from services.contract.inspection import Decision, Inspection
from services.contract.settings import Settings
from services.records.jobs import Job
from training.backtest import Evenly, Replayed, report_of
from training.job_files import PROGRESS, write_json

log = logging.getLogger(__name__)

MOST = 300
"""Frames that are judged, whose pictures are in memory together."""
THREADS = 2
TOLD_EVERY = 20

Judge = Callable[[bytes], float]
"""An encoded picture -> its anomaly score; raises ImageError."""


class BacktestError(ValueError):
    """Frames that cannot be read again."""


class Model:
    """A version that is loaded when it is first asked."""

    def __init__(self, settings: Settings, version: str) -> None:
        self._settings, self._version = settings, version

    @cached_property
    def _engine(self) -> Engine:
        return Engine.load(Registry(self._settings.models_path).fetch(self._version).path, threads=THREADS, device="cpu")

    def __call__(self, image: bytes) -> float:
        picture = self._engine.preprocessing.decode(image)
        return float(self._engine.score(to_tensor([picture])).scores[0])


def backtested(settings: Settings, job: Job, folder: Path) -> dict[str, Any]:
    """By the job's plan: the minutes before it was asked for. Raises BacktestError, RegistryError."""
    plan = job.plan
    since = job.asked_at - timedelta(minutes=plan["minutes"])
    candidate, champion = (Model(settings, plan[name]) for name in ("candidate", "champion"))
    replay = partial(decide_twice, plan, candidate, champion)
    try:
        report = backtest(settings, job.line, since, job.asked_at, replay, told=partial(_tell, folder))
    except BusError as error:
        raise BacktestError(f"line {job.line}: expected its frames from Kafka, {error}") from error
    log.info("job %s: %d frames judged anew, %d newly flagged, %d no longer", job.id, report["frames"], report["newly_flagged"], report["no_longer_flagged"])
    return {"candidate": plan["candidate"], "champion": plan["champion"], "since": since.isoformat(), "until": job.asked_at.isoformat(), **report}


def backtest(
    settings: Settings,
    line: str,
    since: datetime,
    until: datetime,
    replay: Callable[[Frame, Inspection | None], Replayed],
    *,
    most: int = MOST,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any]:
    """What was written to Kafka between two moments. Raises BusError."""
    sample = _sampled(settings, line, since, until, most)
    decided, expired = _decided(settings, line, since, until)
    replayed, unreadable = [], 0
    for done, frame in enumerate(sample.kept(), start=1):
        try:
            replayed.append(replay(frame, decided.get(str(frame.frame_id))))
        except ImageError as error:
            unreadable += 1
            log.info("frame %s: %s", frame.frame_id, error)
        if done % TOLD_EVERY == 0 or done == len(sample.kept()):
            told(done, len(sample.kept()))
    return {**report_of(replayed), "in_kafka": sample.seen, "expired": expired, "unreadable": unreadable}


def _sampled(settings: Settings, line: str, since: datetime, until: datetime, most: int) -> Evenly[Frame]:
    sample: Evenly[Frame] = Evenly(most)
    topic = settings.names.frames
    for record in read_all(settings, topic, offsets_at(settings, topic, since), offsets_at(settings, topic, until)):
        if not _of_line(record, line):
            continue
        try:
            frame = Frame.from_record(record.headers, record.value)
        except InvalidFrameError as error:
            log.info("frame at %d/%d: %s", record.partition, record.offset, error)
            continue
        sample.add(frame.frame_id.camera_key, frame)
    return sample


def _decided(settings: Settings, line: str, since: datetime, until: datetime) -> tuple[dict[str, Inspection], int]:
    """The first inspection of each frame that came since, and how many came by `until` whose frames retention has taken."""
    frames = settings.names.frames
    identity, begins = topic_id(settings, frames), begin_offsets(settings, frames)
    decided: dict[str, Inspection] = {}
    for inspection in _inspections(settings, line, since):
        decided.setdefault(inspection.frame_id, inspection)
    gone = (
        one.source.topic_id != identity or one.source.offset < begins.get(one.source.partition, 0)
        for one in decided.values()
        if since <= one.timings.received_at <= until
    )
    return decided, sum(gone)


def _inspections(settings: Settings, line: str, since: datetime) -> Iterator[Inspection]:
    topic = settings.names.inspections
    for record in read_all(settings, topic, offsets_at(settings, topic, since), end_offsets(settings, topic)):
        if record.value is not None and _of_line(record, line):
            yield Inspection.from_json(record.value)


def _of_line(record: Record, line: str) -> bool:
    return (record.key or b"").partition(b"/")[0] == line.encode()


def decide_twice(plan: Mapping[str, Any], candidate: Judge, champion: Judge, frame: Frame, inspection: Inspection | None) -> Replayed:
    after = candidate(frame.image)
    decided = inspection is not None and inspection.decision is not None and inspection.score is not None
    before = inspection.score if inspection is not None and inspection.score is not None and decided else champion(frame.image)
    flagged = inspection.decision is not Decision.PASS if inspection is not None and decided else before >= plan["champion_review"]
    return Replayed(
        frame_id=str(frame.frame_id),
        camera=frame.frame_id.camera,
        captured_at=frame.captured_at,
        by="line" if decided else "champion",
        before=before,
        flagged_before=flagged,
        after=after,
        flagged_after=after >= plan["review"],
    )


def _tell(folder: Path, done: int, of: int) -> None:
    told = {"stage": "backtest", "step": done, "steps": of, "losses": {}, "steps_per_s": None, "at": datetime.now(UTC).timestamp()}
    try:
        write_json(folder / PROGRESS, told)
    except OSError as error:
        log.warning("no progress: %s", error)
