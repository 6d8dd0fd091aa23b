"""A model version and a folder -> how well it finds defects, beside a nearest-neighbour detector on the same pictures and measures.

The rival remembers the good pictures that our trainings learn from, of each product by itself, and has its scale from the fifth that they
leave out. Both are judged frame by frame and measured by the same code; a difference has its interval from the same draws of groups.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from models.engine import Engine
from models.registry import ModelVersion
from services.cli.measuring.trials import labelled_trial
from training.bootstrap import Deviations, interval
from training.data import find_good
from training.evaluation import MEASURES, Judged, LineMeasurement, mean_deviations, measure, report_of
from training.groups import kept_from_training
from training.labelled import Sample
from training.neighbours import Features, NeighbourDetector, pretrained_features
from training.served import judge

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Side:
    """One detector, measured."""

    lines: Mapping[str, LineMeasurement]
    report: dict[str, Any]

    def deviations(self) -> Deviations:
        return mean_deviations([measured.deviations(measured.defects) for measured in self.lines.values() if measured.defects])


def compare(version: ModelVersion, folder: Path, *, memory: int, seed: int = 0, features: Features | None = None, **groups: Path | None) -> dict[str, Any]:
    """`groups` are those of `labelled_trial`; `features` what the rival sees with, by default an ImageNet network's. DataError, NeighboursError."""
    seen = features or pretrained_features()
    trial = labelled_trial(folder, **groups)
    engine, samples = Engine.load(version.path), list(trial.samples)
    ours = _measured("ours", (judged for judged, _ in judge(engine, samples)))
    theirs = _measured("neighbours", _neighbours(folder.resolve(), samples, seen, memory, seed))
    return {
        **trial.origin,
        "frames": len(samples),
        "ours": {"model": version.name, "model_version": version.id, **ours.report},
        "neighbours": {"memory": memory, "seed": seed, **theirs.report},
        "difference": difference(ours, theirs),
    }


def difference(ours: Side, theirs: Side) -> dict[str, dict[str, Any]]:
    """Of the means over lines, ours less theirs; more than chance where the interval does not hold 0."""
    drawn, against = ours.deviations(), theirs.deviations()
    values = {name: ours.report[name] - theirs.report[name] for name in MEASURES if ours.report[name] is not None}
    bounds = {name: interval(value, drawn[name] - against[name]) if drawn else None for name, value in values.items()}
    return {name: {"value": value, "interval": bounds[name]} for name, value in values.items()}


def _measured(name: str, frames: Iterable[Judged]) -> Side:
    began_at = time.monotonic()
    lines = measure(frames)
    seconds = time.monotonic() - began_at
    report = report_of(lines)
    log.info("%s: %s in %.0f s", name, {one: report[one] and round(report[one], 3) for one in MEASURES}, seconds)
    return Side(lines, {**report, "seconds": round(seconds, 1)})


def _neighbours(folder: Path, samples: Iterable[Sample], features: Features, memory: int, seed: int) -> Iterator[Judged]:
    for line, of_line in groupby(samples, key=lambda sample: sample.line):
        good = find_good(folder if (folder / "test").is_dir() else folder / line)
        learnt, fresh = ([path.read_bytes() for path in good if kept_from_training(path) is kept] for kept in (False, True))
        detector = NeighbourDetector.learn(features, learnt, fresh or learnt, memory=memory, seed=seed)
        log.info("%s: %d patches of %d good pictures remembered", line, len(detector.memory), len(learnt))
        yield from detector.judge(of_line)
