"""What people said on a line, what was imported and what was drawn of passed frames -> its next dataset version: a line's dataset has its name."""

from dataclasses import dataclass
from typing import Self

from services.contract.settings import Settings
from services.records.answers import Answers
from services.records.database import Database
from services.records.golden import GoldenSets
from services.records.store import Records
from services.results.dataset_pictures import DatasetPictures
from training.answers import sampled
from training.dataset_version import DatasetVersion
from training.datasets import Datasets
from training.splits import Shares

DRAWN = "blind-check"
"""Passed frames that were drawn at random: of those that nobody has answered some may teach what good looks like."""


@dataclass(frozen=True, slots=True)
class LineDatasets:
    """Raises RecordsError where SQL is away, UnknownLineError for a line that nobody added."""

    settings: Settings
    records: Records
    answers: Answers
    golden: GoldenSets
    all: Datasets
    pictures: DatasetPictures

    @classmethod
    def of(cls, settings: Settings, database: Database, records: Records) -> Self:
        return cls(settings, records, Answers(database), GoldenSets(database), Datasets(settings.datasets_path), DatasetPictures(settings))

    def build(self, line: str) -> DatasetVersion:
        """Raises DatasetError where there is nothing to make one of."""
        self.check_line(line)
        wanted = self.settings.dataset
        unreviewed = sampled(self.answers.unanswered([line], DRAWN), wanted.most_unreviewed)
        shares = Shares(wanted.calibration_share, wanted.held_out_share)
        golden = [one.frame_id for one in self.golden.of(line)]
        return self.all.build(line, self.answers.verdicts([line]), self.pictures, unreviewed=unreviewed, golden=golden, shares=shares)

    def check_line(self, line: str) -> None:
        """Lines that only the settings name, since no recorder has run yet, are known too."""
        if line not in {seed.id for seed in self.settings.lines}:
            self.records.line(line)
