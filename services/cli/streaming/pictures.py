"""An MVTec-layout folder -> its test pictures in an order drawn by a seed, each with its truth: the name of the folder it is in."""

import random
from dataclasses import dataclass
from pathlib import Path

from services.ingest.errors import SourceError
from services.ingest.sources import picture_files, truth_of


@dataclass(frozen=True, slots=True)
class Labelled:
    """One picture file and what it shows: "good" or a kind of defect."""

    path: Path
    truth: str

    @property
    def part_id(self) -> str:
        return f"{self.truth}-{self.path.stem}"


def read_test_split(folder: Path, *, seed: int) -> list[Labelled]:
    """Raises SourceError where the folder has no test split."""
    test = folder / "test"
    if not test.is_dir():
        raise SourceError(f"{folder}: expected an MVTec layout with test/good and test/<defect>, found no folder {test}")
    pictures = [Labelled(path, truth) for path in picture_files(test) if (truth := truth_of(path)) is not None]
    if not pictures:
        raise SourceError(f"{test}: expected one folder a class (good, <defect>), found pictures outside of them")
    random.Random(seed).shuffle(pictures)
    return pictures
