"""A detector and real defects -> how much better it gets by each number of them, on test pictures of groups that never teach.

The groups of the test pictures are cut in two by a hash: one half is the frozen held-out set, the other lends its defects to the training,
one picture a group, for six pictures of one tile are one piece of evidence. Beside each number stands the control: the same extra
steps without a defect. Every run is kept in a file as soon as it is measured, so a stopped experiment goes on where it was.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from models.engine import Engine
from models.registry import weights_hash
from training.data import DataError
from training.evaluation import evaluate
from training.groups import group_of, kept_from_training
from training.labelled import GOOD, labelled_pictures, sample_of
from training.recipes import Recipe
from training.served import judge
from training.stages import train_detector

log = logging.getLogger(__name__)

MEASURES = ("pixel_ap", "image_ap", "image_auroc")
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
    kept = _Kept(trial)
    base = kept.get("base") or kept.put("base", _measured(trial.base, split))
    runs = {number: [_run(trial, split, number, seed, kept) for seed in range(seeds)] for number in sorted({0, *numbers})}
    control = _row(0, runs[0])
    rows = [{**(row := _row(number, found)), "rise_beyond_spread": _rises(row, control)} for number, found in runs.items() if number]
    return {"data": trial.folder.name, "held_out": _described(split), "recipe": trial.recipe.name, "base": base, "control": control, "rows": rows}


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


def _run(trial: Trial, split: Split, number: int, seed: int, kept: "_Kept") -> dict[str, float]:
    name = f"{number}-defects-seed-{seed}"
    done = kept.get(name)
    if done is not None:
        return done
    version = trial.out / name
    train_detector(
        [trial.folder], trial.recipe, version, start=trial.base, name=name, seed=seed, left_out=kept_from_training, defects=drawn(split, number, seed)
    )
    found = kept.put(name, _measured(version, split))
    shutil.rmtree(version)
    return found


def _measured(version: Path, split: Split) -> dict[str, float]:
    engine = Engine.load(version)
    report = evaluate(judged for judged, _ in judge(engine, (sample_of(path) for path in split.held_out)))
    log.info("%s: %s", version.name, {measure: round(report[measure], 4) for measure in MEASURES})
    return {measure: report[measure] for measure in MEASURES}


def _row(number: int, runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Mean over seeds, and the standard deviation beside it."""
    values = {measure: [run[measure] for run in runs] for measure in MEASURES}
    spread = {f"{measure}_spread": stdev(found) if len(found) > 1 else None for measure, found in values.items()}
    return {"defects": number, "seeds": len(runs), **{measure: mean(found) for measure, found in values.items()}, **spread}


def _rises(row: Mapping[str, Any], control: Mapping[str, Any]) -> dict[str, bool | None]:
    """Whether the mean lies above the control's by more than both spreads together; None where one seed says nothing of that."""
    result: dict[str, bool | None] = {}
    for measure in MEASURES:
        spreads = (row[f"{measure}_spread"], control[f"{measure}_spread"])
        result[measure] = None if None in spreads else row[measure] - control[measure] > sum(spreads)
    return result


def _described(split: Split) -> dict[str, int]:
    defective = [path for path in split.held_out if path.parent.name != GOOD]
    return {
        "groups": len({group_of(path) for path in split.held_out}),
        "good": len(split.held_out) - len(defective),
        "defective": len(defective),
        "defective_groups": len({group_of(path) for path in defective}),
        "teaching_groups": len(split.teaching),
    }


class _Kept:
    """Results by name, in a file. DataError where it holds those of another experiment."""

    def __init__(self, trial: Trial) -> None:
        self.path = trial.out / "runs.json"
        self.facts = {"data": trial.folder.name, "base": weights_hash(trial.base), "recipe": trial.recipe.to_dict()}
        self.runs: dict[str, dict[str, float]] = {}
        if self.path.is_file():
            content = json.loads(self.path.read_text())
            if content["facts"] != self.facts:
                raise DataError(f"{self.path}: results of another base or recipe; remove it to start anew, or choose another --out")
            self.runs = content["runs"]

    def get(self, name: str) -> dict[str, float] | None:
        return self.runs.get(name)

    def put(self, name: str, found: dict[str, float]) -> dict[str, float]:
        self.runs[name] = found
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({"facts": self.facts, "runs": self.runs}, indent=2) + "\n")
        partial.replace(self.path)
        return found
