"""True masks -> verdicts, dataset, job, training on Ray, gate: the whole way of a retraining, on a Kafka, Redis, Ray and trainer of a benchmark's own.

Each run has a line of its own, with the product's good pictures as its history. Its people answer at the review desk, and the trainer, which
is the process that a plant has, teaches its model.
"""

import logging
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from infra.embedded.process import RunningProcess
from models.engine import Engine
from models.preprocessing import to_tensor
from models.registry import ModelVersion, Registry, weights_hash
from services.bus.topics import delete_topics, end_offsets, ensure_topics
from services.cli.measuring.ground import ground, service
from services.cli.measuring.learning import Retrained
from services.cli.measuring.supervised import Trial
from services.cli.models import slug
from services.contract.inspection import Archived, Calibration, Decision, Inspection, Outcome, Source, Timings
from services.contract.names import FrameId
from services.contract.settings import Settings
from services.contract.verdict import Answer
from services.inspection.decision import decide
from services.records.audit import Actor
from services.records.database import Database
from services.records.jobs import Job, Jobs, JobState, Trigger
from services.records.migrations import migrate
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.verdicts import Said
from training.calibration import calibrate
from training.dataset_import import import_mvtec
from training.dataset_version import DatasetVersion
from training.groups import group_of, kept_from_training
from training.job_files import LOG
from training.labelled import good_samples, mask_of
from training.line_datasets import LineDatasets
from training.loop import TrainingError
from training.served import good_frames
from training.splits import Split

log = logging.getLogger(__name__)

PERSON = Actor("bench", "supervisor")
CAMERA, SESSION = "bench", "verdicts"
LOOK_S = 1.0
TOLD_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Plant:
    """Lines that the base detector judges, and the parts that a retraining goes through."""

    settings: Settings
    records: Records
    archive: Archive
    desk: Desk
    datasets: LineDatasets
    jobs: Jobs
    champion: ModelVersion
    calibration: Calibration
    folder: Path
    """The product's."""

    def line(self, name: str) -> str:
        """A new line with the good pictures as its history; which of them teach, a hash says by its name."""
        line = slug(name)
        self.records.add_line(line)
        self.records.add_calibration(line, self.champion.id, self.calibration)
        self.records.activate(line, self.champion.id, self.calibration.calibration_id, by=PERSON.name)
        history = import_mvtec(self._history(), self.datasets.pictures, line=line, given_at=datetime.now(UTC))
        self.datasets.all.add_history(line, history.verdicts)
        return line

    def answer(self, line: str, pictures: Sequence[Path]) -> None:
        """As people do at the review desk: these frames were judged, and are given their class and true mask."""
        kinds = {slug(path.parent.name): path.parent.name for path in pictures}
        self.desk.reviews.set_defect_classes(line, kinds, by=PERSON)
        engine = Engine.load(self.champion.path)
        for number, path in enumerate(pictures):
            inspection = self._judged(engine, line, number, path)
            self.records.flagged.add([inspection])
            blind = inspection.decision is Decision.PASS
            said = Said(answer=Answer.DEFECT, defect_class=slug(path.parent.name), upload=_mask_png(path), blind=blind)
            self.desk.verdicts.give(inspection.frame_id, said, PERSON)

    def deliver(self) -> int:
        """Empties the outbox; how many verdicts the topic holds then. Raises BusError."""
        while self.desk.outbox.step():
            pass
        return sum(end_offsets(self.settings, self.settings.names.verdicts).values())

    def _history(self) -> Path:
        """The product's good training pictures with their groups, and none of its test pictures."""
        folder = self.settings.home / "history"
        if not folder.is_dir():
            (folder / "train").mkdir(parents=True)
            (folder / "train" / "good").symlink_to(self.folder / "train" / "good")
            if (self.folder / "groups.csv").is_file():
                (folder / "groups.csv").symlink_to(self.folder / "groups.csv")
        return folder

    def _judged(self, engine: Engine, line: str, number: int, path: Path) -> Inspection:
        """What the line's model says of a frame. One that it passes was drawn for a blind check."""
        image, now = path.read_bytes(), datetime.now(UTC)
        picture = engine.preprocessing.decode(image)
        score = float(engine.score(to_tensor([picture])).scores[0])
        decision = decide(score, self.calibration)
        path_kept = self.archive.put("frames", image)
        return Inspection(
            frame_id=str(FrameId(line, CAMERA, SESSION, number)),
            outcome=Outcome.INSPECTED,
            source=Source(topic_id=line, partition=0, offset=number),
            timings=Timings(captured_at=now, received_at=now, written_at=now),
            part_id=group_of(path).partition("/")[2],
            score=score,
            decision=decision,
            width=picture.width,
            height=picture.height,
            model_version=self.champion.id,
            calibration_id=self.calibration.calibration_id,
            archived=Archived(reason="blind-check" if decision is Decision.PASS else "flagged", probability=1, frame_path=path_kept),
        )


@dataclass(frozen=True, slots=True)
class Retraining:
    """A plant whose trainer works."""

    plant: Plant
    trainer: RunningProcess

    def __call__(self, name: str, answered: Sequence[Path]) -> Retrained:
        """Raises TrainingError where the job does not end well."""
        plant, settings = self.plant, self.plant.settings
        line = plant.line(name)
        plant.answer(line, answered)
        log.info("%s: %d verdicts given, %d on the topic", line, len(answered), plant.deliver())
        asked, _ = plant.jobs.ask(line, Trigger.CLICK, PERSON)
        job = self._ended(asked)
        shutil.rmtree(settings.retraining_path / job.id, ignore_errors=True)
        gate = job.result["gate"]
        log.info("%s: gate: %s (%s)", line, gate["answer"], "; ".join(gate["reasons"]))
        candidate = Registry(settings.models_path).fetch(job.result["candidate"])
        return Retrained(candidate.path, taught_by(plant.datasets.all.fetch(job.result["dataset"])), gate["answer"])

    def _ended(self, job: Job) -> Job:
        told_at = time.monotonic()
        while job.state.open:
            if self.trainer.exit_code is not None:
                raise TrainingError(f"trainer: ended with {self.trainer.exit_code}: {' / '.join(self.trainer.log.last_lines())}")
            time.sleep(LOOK_S)
            job = self.plant.jobs.job(job.id)
            if time.monotonic() - told_at > TOLD_EVERY_S:
                told_at = time.monotonic()
                log.info("%s: %s %s", job.line, job.state, _told(job.progress))
        if job.state is not JobState.FINISHED:
            said = (self.plant.settings.retraining_path / job.id / LOG).read_text(errors="replace")[-1000:]
            raise TrainingError(f"job {job.id}: {job.state}, {job.error}; the end of its log: {said}")
        return job


def taught_by(version: DatasetVersion) -> int:
    """Defects with a mask that a version's training learns from."""
    return sum(row.answer == "defect" and row.mask is not None for row in version.of(Split.TRAIN))


@contextmanager
def opened(installation: Settings, trial: Trial, *, retraining: Mapping[str, Any], threads: int | None = None) -> Iterator[Retraining]:
    """Ends, and leaves nothing behind, with the block. `retraining` are settings of that name."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}-"
    own = {**retraining, "after_verdicts": 0, "every_hours": None}
    environment = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    with ground(installation, prefix=prefix, retraining=own) as standing:
        settings = standing.settings
        ensure_topics(settings)
        with (
            plant_of(settings, trial) as plant,
            service(settings, "trainer", environment=environment, ray={"address": settings.ray_address}, retraining=own) as trainer,
        ):
            yield Retraining(plant, trainer)
        if not standing.own:
            names = settings.names
            delete_topics(settings, (names.frames, names.dead_letter, names.inspections, names.verdicts))


@contextmanager
def plant_of(settings: Settings, trial: Trial) -> Iterator[Plant]:
    """Nothing but SQL and files is needed until verdicts are delivered."""
    migrate(settings.records_url)
    database = Database(settings.records_url)
    with closing(database), closing(Records(settings.records_url)) as records:
        champion, archive = Registry(settings.models_path).add(trial.base), Archive(settings)
        plant = Plant(
            settings=settings,
            records=records,
            archive=archive,
            desk=Desk.of(settings, database, archive),
            datasets=LineDatasets.of(settings, database, records),
            jobs=Jobs(database),
            champion=champion,
            calibration=_calibrated(champion, trial.folder),
            folder=trial.folder,
        )
        try:
            yield plant
        finally:
            plant.desk.outbox.stop()
            plant.desk.outbox.run()  # which hangs up


def _calibrated(champion: ModelVersion, folder: Path) -> Calibration:
    """From the fifth of the good pictures that the base's own training leaves out. Raises CalibrationError."""
    frames = good_frames(Engine.load(champion.path), good_samples(folder, chosen=kept_from_training))
    return calibrate(frames, line="bench", model_version=champion.id, weights_sha256=weights_hash(champion.path)).calibration


def _mask_png(path: Path) -> bytes | None:
    """What a person would draw; None where the true mask shows nothing."""
    mask = mask_of(path)
    return bytes(cv2.imencode(".png", np.where(mask, 255, 0).astype(np.uint8))[1]) if mask.any() else None


def _told(progress: Mapping[str, Any]) -> str:
    return f"{progress['stage']} {progress['step']}/{progress['steps']}" if progress else ""
