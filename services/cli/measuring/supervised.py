"""A detector and real defects -> how much better it gets by each number of them, on test pictures of groups that never teach.

The groups of the test pictures are cut in two by a hash: one half is the frozen held-out set, the other lends its defects to the training,
one picture a group, for six pictures of one tile are one piece of evidence. Beside each number stands the control: the same extra
steps without a defect. Every run is kept in a file as soon as it is measured, so a stopped experiment goes on where it was.
"""

import hashlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.engine import Engine
from models.registry import weights_hash
from services.cli.measuring.repeated import MEASURES, Kept, averaged, rises
from training.data import DataError
from training.evaluation import evaluate
from training.groups import group_of, kept_from_training
from training.labelled import GOOD, labelled_pictures, sample_of
from training.recipes import Recipe
from training.served import judge
from training.stages import train_detector

log = logging.getLogger(__name__)

HELD_OUT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Trial:
    """What is taught, and with what."""

    folder: Path
    """MVTec layout, one product."""
    base: Path
    """Version folder of the detector that learns on."""
    recipe: Recipe
    out: Path
    """Folder of the results and, while it runs, of the trained versions."""

    @property
    def facts(self) -> dict[str, Any]:
        """Results of other ones do not belong together."""
        return {"data": self.folder.name, "base": weights_hash(self.base), "recipe": self.recipe.to_dict()}


@dataclass(frozen=True, slots=True)
class Split:
    """Test pictures by group: those that are measured, and defects by group that may teach."""

    held_out: tuple[Path, ...]
    teaching: Mapping[str, tuple[Path, ...]]


def measure(trial: Trial, numbers: Sequence[int], seeds: int) -> dict[str, Any]:
    """Base, control and each number of defects, `seeds` times each. DataError where fewer groups can teach than asked for."""
    split = split_of(trial.folder)
    if max(numbers) > len(split.teaching):
        raise DataError(f"{trial.folder.name}: expected at most {len(split.teaching)} defects, one of each group that may teach, got {max(numbers)}")
    kept = Kept(trial.out / "runs.json", trial.facts)
    base = kept.get("base") or kept.put("base", measured(trial.base, split))
    runs = {number: [_run(trial, split, number, seed, kept) for seed in range(seeds)] for number in sorted({0, *numbers})}
    control = {"defects": 0, **averaged(runs[0])}
    rows = [{"defects": number, **(row := averaged(found)), "rise_beyond_spread": rises(row, control)} for number, found in runs.items() if number]
    return {"data": trial.folder.name, "held_out": described(split), "recipe": trial.recipe.name, "base": base, "control": control, "rows": rows}


def split_of(folder: Path) -> Split:
    """Test pictures of one product; both halves hold good and defective groups as the hash has it."""
    paths = labelled_pictures(folder)
    held_out = tuple(path for path in paths if _is_held_out(path))
    teaching: dict[str, list[Path]] = {}
    for path in paths:
        if path.parent.name != GOOD and not _is_held_out(path):
            teaching.setdefault(group_of(path), []).append(path)
    if not held_out or not teaching:
        raise DataError(f"{folder}: expected test/good and test/<defect> of several groups, got {len(paths)} pictures")
    return Split(held_out, {group: tuple(found) for group, found in teaching.items()})


def drawn(split: Split, number: int, seed: int) -> list[Path]:
    """One defect of each of `number` groups; a larger number has those of a smaller one, so that rows differ by what is added."""
    dice = np.random.default_rng(seed)
    groups = [sorted(split.teaching)[place] for place in dice.permutation(len(split.teaching))]
    picked = [split.teaching[group][int(dice.integers(len(split.teaching[group])))] for group in groups]
    return picked[:number]


def _is_held_out(path: Path) -> bool:
    digest = hashlib.sha256(f"held-out {group_of(path)}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < HELD_OUT_SHARE


def _run(trial: Trial, split: Split, number: int, seed: int, kept: Kept) -> dict[str, float]:
    name = f"{number}-defects-seed-{seed}"
    done = kept.get(name)
    if done is not None:
        return done
    version = trial.out / name
    train_detector(
        [trial.folder], trial.recipe, version, start=trial.base, name=name, seed=seed, left_out=kept_from_training, defects=drawn(split, number, seed)
    )
    found = kept.put(name, measured(version, split))
    shutil.rmtree(version)
    return found


def measured(version: Path, split: Split) -> dict[str, float]:
    """By the frozen half."""
    engine = Engine.load(version)
    report = evaluate(judged for judged, _ in judge(engine, (sample_of(path) for path in split.held_out)))
    log.info("%s: %s", version.name, {measure: round(report[measure], 4) for measure in MEASURES})
    return {measure: report[measure] for measure in MEASURES}


def described(split: Split) -> dict[str, int]:
    """What the frozen half is made of, and how many groups may teach."""
    defective = [path for path in split.held_out if path.parent.name != GOOD]
    return {
        "groups": len({group_of(path) for path in split.held_out}),
        "good": len(split.held_out) - len(defective),
        "defective": len(defective),
        "defective_groups": len({group_of(path) for path in defective}),
        "teaching_groups": len(split.teaching),
    }
