"""Verdicts -> a candidate: the pictures of a dataset version teach a line's champion, fresh thresholds are drawn, and the gate compares the two.

Whatever is done lies in the retraining's folder and is passed over when it is there, so that one that was killed goes on under its name.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from models.checkpoint import VERSION
from models.engine import Engine
from models.registry import ModelVersion, Registry, read_version, weights_hash
from training.calibration import LineCalibration, calibrate
from training.card import add_to_card, suggest_in_card
from training.dataset_samples import Samples
from training.dataset_version import DatasetVersion, PictureStore
from training.evaluation import Judged
from training.gate import Contender, compare
from training.gate_rule import Answer, Rule
from training.labelled import Sample, labelled_pictures
from training.mvtec_export import TAUGHT, export_mvtec
from training.recipes import Recipe
from training.served import good_frames, judge
from training.stages import train_detector

log = logging.getLogger(__name__)

Train = Callable[[Callable[..., object]], None]
"""Runs a whole training, called with `means=`: here, or on the workers of a cluster."""


@dataclass(frozen=True, slots=True)
class Retraining:
    """All that a retraining goes by. The same one again, after a kill, goes on where it was."""

    name: str
    """Of its run, wherever it is recorded."""
    line: str
    folder: Path
    """Its own, which every worker reaches."""
    champion: ModelVersion
    review: float
    """The threshold by which the champion flags frames on this line now."""
    dataset: DatasetVersion
    store: PictureStore
    recipe: Recipe
    rule: Rule
    review_rate: float = 0.01
    fail_rate: float = 0.001


def retrain(work: Retraining, registry: Registry, train: Train) -> dict[str, Any]:
    """What came of it: the candidate's id in the registry, its calibration, the gate's report.

    Raises DataError or DatasetError for pictures that cannot be learnt from, TrainingError for a training that failed.
    """
    taught = _taught(work, train)
    if "retraining" not in read_version(taught).card:
        _complete(work, taught)
    candidate = registry.add(taught)
    calibration = candidate.suggested_calibration(work.line)
    report = _judged(work, candidate, calibration)
    log.info("%s: candidate %s, gate: %s", work.name, candidate.id[:12], report["answer"])
    return {"candidate": candidate.id, "champion": work.champion.id, "dataset": work.dataset.id, "calibration": calibration, "gate": report}


def _taught(work: Retraining, train: Train) -> Path:
    """The candidate's folder, before anything is known of how good it is."""
    out, unfinished = work.folder / "candidate", work.folder / ".candidate.training"
    if (out / VERSION).is_file() and not unfinished.exists():
        return out
    pictures = work.folder / "pictures"
    if not pictures.is_dir():
        export_mvtec(work.dataset, work.store, pictures)
    lesson = partial(
        train_detector,
        [pictures],
        work.recipe,
        out,
        start=work.champion.path,
        name=work.line,
        command=f"loupe retrain {work.line}",
        defects=_with_masks(pictures / TAUGHT),
    )
    train(lesson)
    return out


def _with_masks(product: Path) -> list[Path]:
    """Confirmed defects of which somebody drew where; the others teach nothing."""
    drawn = {(path.parent.name, path.name.removesuffix("_mask.png")) for path in product.glob("ground_truth/*/*_mask.png")}
    return [path for path in labelled_pictures(product) if (path.parent.name, path.stem) in drawn]


def _complete(work: Retraining, taught: Path) -> None:
    """The card, once: another calibration of the same frames would be another version."""
    calibration = _calibrated(work, taught)
    if calibration is not None:
        suggest_in_card(taught, [calibration])
    add_to_card(taught, {"line": work.line, "parent": work.champion.id, "dataset": work.dataset.id, "retraining": work.name})


def _calibrated(work: Retraining, taught: Path) -> LineCalibration | None:
    """Thresholds from good frames that neither taught nor measure; None where there are none."""
    frames = list(good_frames(Engine.load(taught), Samples(work.dataset, work.store).calibration()))
    if not frames:
        return None
    return calibrate(
        frames,
        line=work.line,
        model_version="",  # named by what the registry makes of the card that this goes into
        weights_sha256=weights_hash(taught),
        review_rate=work.review_rate,
        fail_rate=work.fail_rate,
        command=f"loupe retrain {work.line}",
    )


def _judged(work: Retraining, candidate: ModelVersion, calibration: Mapping[str, Any] | None) -> dict[str, Any]:
    if calibration is None:
        return {"answer": Answer.INSUFFICIENT, "reasons": ["calibration: expected reviewed good frames of groups that neither teach nor measure, got none"]}
    samples = Samples(work.dataset, work.store)
    versions = ((work.champion, work.review), (candidate, calibration["review"]))
    held_out = [Contender.of(version.id, review, _on(version, samples.held_out())) for version, review in versions]
    golden = [Contender.of(version.id, review, _on(version, samples.golden())) for version, review in versions]
    return compare(held_out[0], held_out[1], work.rule, golden=(golden[0], golden[1]))


def _on(version: ModelVersion, samples: Iterable[Sample]) -> Iterator[tuple[Judged, float]]:
    """What a version says of each, with its weight."""
    engine, weights = Engine.load(version.path), []

    def weighed() -> Iterator[Sample]:
        for sample in samples:
            weights.append(sample.weight)
            yield sample

    for judged, _ in judge(engine, weighed()):
        yield judged, weights[-1]
