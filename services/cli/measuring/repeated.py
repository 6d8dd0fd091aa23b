"""Runs of an experiment -> each kept in a file as soon as it is measured, so that a stopped experiment goes on; and many as mean and spread."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from training.data import DataError
from training.durable import write_durably

MEASURES = ("pixel_ap", "image_ap", "image_auroc")


class Kept:
    """Results by name, in a file. DataError where it holds those of another experiment."""

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path, self.facts = path, dict(facts)
        self.runs: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            content = json.loads(self.path.read_text())
            if content["facts"] != self.facts:
                raise DataError(f"{self.path}: results of another base or recipe; remove it to start anew, or choose another --out")
            self.runs = content["runs"]

    def get(self, name: str) -> dict[str, Any] | None:
        return self.runs.get(name)

    def put(self, name: str, found: dict[str, Any]) -> dict[str, Any]:
        self.runs[name] = found
        write_durably(self.path, (json.dumps({"facts": self.facts, "runs": self.runs}, indent=2) + "\n").encode())
        return found


def averaged(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean over seeds, and the standard deviation beside it."""
    values = {measure: [run[measure] for run in runs] for measure in MEASURES}
    spread = {f"{measure}_spread": stdev(found) if len(found) > 1 else None for measure, found in values.items()}
    return {"seeds": len(runs), **{measure: mean(found) for measure, found in values.items()}, **spread}


def rises(row: Mapping[str, Any], control: Mapping[str, Any]) -> dict[str, bool | None]:
    """Whether the mean lies above the control's by more than both spreads together; None where one seed says nothing of that."""
    result: dict[str, bool | None] = {}
    for measure in MEASURES:
        spreads = (row[f"{measure}_spread"], control[f"{measure}_spread"])
        result[measure] = None if None in spreads else row[measure] - control[measure] > sum(spreads)
    return result
