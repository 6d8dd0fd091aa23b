"""A plant with jobs of the trainer in its records: one whose candidate the gate refused, one that could not be told, and one that runs."""

from datetime import UTC, datetime, timedelta

import numpy as np

from services.contract.settings import Settings
from services.contract.verdict import Answer
from services.records.audit import Actor
from services.records.database import Database
from services.records.jobs import JobKind, Jobs, Trigger
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.verdicts import Said
from tests.live_feed import CALIBRATION, MODEL
from tests.review_plant import ReviewPlant
from training.backtest import Replayed, report_of
from training.evaluation import Judged
from training.gate import Contender, compare
from training.gate_rule import Rule
from training.job_files import LOG, LOSSES, write_json
from training.line_datasets import LineDatasets

ANNA = Actor("anna", "supervisor")
CANDIDATE = "ca" * 32
TRAINER = "trainer"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LINES = {"bolts": "Bolts", "nuts": "Nuts", "rings": "Rings"}


class TrainingPlant:
    def __init__(self, settings: Settings) -> None:
        self.settings, self.review = settings, ReviewPlant(settings)
        for line, name in LINES.items():
            self.review.add_line(line, name)
            self.review.records.activate(line, MODEL, CALIBRATION.calibration_id, by="test")
        self._database = Database(settings.records_url)
        self.jobs, self._datasets = Jobs(self._database), LineDatasets.of(settings, self._database, self.review.records)
        self.refused, self.untold = self._judged("bolts", Rule(good_groups=3, defective_groups=3)), self._judged("nuts", Rule())
        self.backtest = self._backtested("nuts")
        self.runs = self._running("rings")

    def close(self) -> None:
        self._database.close()
        self.review.close()

    def _judged(self, line: str, rule: Rule) -> str:
        """Of six answered parts the candidate passes a defect and flags a good one."""
        frames = [self.review.flag(line, number) for number in range(1, 7)]
        desk = Desk.of(self.settings, self._database, Archive(self.settings))
        for number, frame in enumerate(frames):
            desk.verdicts.give(frame, Said(answer=Answer.DEFECT if number % 2 else Answer.GOOD), ANNA)
        job, _ = self.jobs.ask(line, Trigger.CLICK, ANNA)
        self.jobs.claim(TRAINER, timedelta(minutes=1))
        self.jobs.settle(job.id, TRAINER, {"dataset": self._datasets.build(line).id, "champion": MODEL, "recipe": "taught", "review": 0.5})
        before, after = (0.1, 0.8, 0.2, 0.7, 0.3, 0.9), (0.1, 0.3, 0.6, 0.7, 0.3, 0.9)
        gate = compare(_contender(MODEL, line, frames, before), _contender(CANDIDATE, line, frames, after), rule)
        self.jobs.finish(job.id, TRAINER, {"candidate": CANDIDATE, "champion": MODEL, "calibration": {"review": 0.5, "fail": 0.7, "groups": 40}, "gate": gate})
        return job.id

    def _backtested(self, line: str) -> str:
        """Of four frames the candidate would have flagged one that passed."""
        job, _ = self.jobs.ask(line, Trigger.CLICK, ANNA, kind=JobKind.BACKTEST, plan={"candidate": CANDIDATE, "minutes": 15})
        self.jobs.claim(TRAINER, timedelta(minutes=1))
        scores = ((0.2, 0.6), (0.1, 0.1), (0.9, 0.8), (0.3, 0.2))
        frames = [
            Replayed(f"{line}/cam1/s1/{number}", "cam1", NOW, "line", before, before > 0.5, after, after > 0.5) for number, (before, after) in enumerate(scores)
        ]
        self.jobs.finish(job.id, TRAINER, {**report_of(frames), "in_kafka": 9, "expired": 0})
        return job.id

    def _running(self, line: str) -> str:
        job, _ = self.jobs.ask(line, Trigger.VERDICTS, Actor("trainer", "system"))
        self.jobs.claim(TRAINER, timedelta(hours=1))
        self.jobs.settle(job.id, TRAINER, {"dataset": "da" * 32, "champion": MODEL, "recipe": "taught"})
        self.jobs.renew(job.id, TRAINER, timedelta(hours=1), {"stage": "upsampling", "step": 50, "steps": 200, "steps_per_s": 2.5, "losses": {"total": 0.02}})
        folder = self.settings.retraining_path / job.id
        folder.mkdir(parents=True)
        detection = [("detection", step, 0.5 / (1 + step / 40)) for step in range(10, 410, 10)]
        write_json(folder / LOSSES, {"points": [*detection, *(("upsampling", step, 0.1 / (1 + step / 20)) for step in range(10, 60, 10))]})
        (folder / LOG).write_text("10:00 INFO trainer: detection 400/400\n10:02 INFO trainer: upsampling 50/200\n")
        return job.id


def _contender(version: str, line: str, frames: list[str], scores: tuple[float, ...]) -> Contender:
    judged = [
        Judged(line, "defect" if number % 2 else "good", score, np.full((8, 8), score, np.float32), None, f"part-{number}", name=frame)
        for number, (frame, score) in enumerate(zip(frames, scores, strict=True))
    ]
    return Contender.of(version, 0.5, [(one, 1.0) for one in judged])
