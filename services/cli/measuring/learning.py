"""Numbers of verdicts -> how much better a line's detector gets for each, on test pictures of groups that nobody ever answers.

The held-out half and the defects that people may be shown are those of `supervised`, one picture a group. Here each number goes the whole way
that verdicts go in a plant: who retrains is told which pictures were answered, and gives back what came of the line's own retraining. 0
verdicts are the control: the same extra steps on the same good pictures.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Protocol

from services.cli.measuring.repeated import MEASURES, Kept, averaged, rises
from services.cli.measuring.supervised import Split, Trial, described, drawn, measured, split_of

log = logging.getLogger(__name__)

Measured = Callable[[Path, Split], Mapping[str, float]]
"""A version's folder, by the held-out half."""


@dataclass(frozen=True, slots=True)
class Retrained:
    """What came of one line's verdicts."""

    version: Path
    """Folder of the candidate."""
    taught: int
    """Verdicts that the training learnt from; the line's own calibration and held-out splits have the others."""
    gate: str
    """Its answer."""


class Retrain(Protocol):
    def __call__(self, name: str, answered: Sequence[Path]) -> Retrained:
        """Of a new line of that name, whose people have answered these pictures of defects by their true masks."""


def measure(
    trial: Trial, numbers: Sequence[int], seeds: int, plant: Callable[[], AbstractContextManager[Retrain]], *, by: Measured = measured
) -> dict[str, Any]:
    """`seeds` runs of each number and of the control; the plant is opened only where one is not measured yet."""
    split = split_of(trial.folder)
    kept = Kept(trial.out / "runs.json", trial.facts)
    base = kept.get("base") or kept.put("base", dict(by(trial.base, split)))
    wanted = {_name(number, seed): (number, seed) for seed in range(seeds) for number in sorted({0, *numbers})}
    missing = {name: run for name, run in wanted.items() if kept.get(name) is None}
    if missing:
        with plant() as retrain:
            for done, (name, run) in enumerate(missing.items(), start=len(wanted) - len(missing) + 1):
                log.info("%s: run %d of %d", name, done, len(wanted))
                kept.put(name, _run(retrain, name, split, *run, by=by))
    runs = {number: [kept.runs[_name(number, seed)] for seed in range(seeds)] for number in sorted({0, *numbers})}
    control = averaged(runs[0])
    rows = [_row(number, runs[number], control) for number in sorted(set(numbers))]
    return {"data": trial.folder.name, "held_out": described(split), "recipe": _recipe(trial), "base": base, "rows": rows}


def _name(number: int, seed: int) -> str:
    return f"{number}-verdicts-seed-{seed}"


def _run(retrain: Retrain, name: str, split: Split, number: int, seed: int, *, by: Measured) -> dict[str, Any]:
    answered = drawn(split, number, seed)
    found = retrain(name, answered)
    return {**by(found.version, split), "given": len(answered), "taught": found.taught, "gate": found.gate}


def _row(number: int, runs: Sequence[Mapping[str, Any]], control: Mapping[str, Any]) -> dict[str, Any]:
    row, given = averaged(runs), runs[0]["given"]
    beside = {f"control_{measure}{spread}": control[f"{measure}{spread}"] for measure in MEASURES for spread in ("", "_spread")}
    short = {"note": f"no more than {given} groups of defects may teach, and each gives one"} if given < number else {}
    told = {"given": given, "taught": mean(run["taught"] for run in runs), **row, **beside, "gate": [run["gate"] for run in runs]}
    return {"verdicts": number, **told, **({"rise_beyond_spread": rises(row, control)} if number else {}), **short}


def _recipe(trial: Trial) -> dict[str, Any]:
    steps = {stage: getattr(trial.recipe, stage).steps for stage in ("objects", "detection", "upsampling")}
    return {"name": trial.recipe.name, "side": trial.recipe.side, "steps": steps}
