"""A model version and a folder of its parts, or of parts it never saw -> thresholds, and what they can promise."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from models.registry import ModelVersion
from services.cli.models import calibrate_lines, slug
from training.data import DataError
from training.groups import kept_from_training
from training.labelled import Sample, good_samples

QUICK_FRAMES = 120
"""Ten seconds on two cores; the promise that so few can give is printed."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`calibration` as the records keep it; `promise` in words."""

    calibration: dict[str, Any]
    promise: str


def has_learnt(version: ModelVersion, folder: Path) -> bool:
    """Whether the card names the folder among what the detector learnt from."""
    return folder.resolve().name in version.card.get("data", {})


def thresholds_for(version: ModelVersion, folder: Path) -> Thresholds:
    """What the card suggests for these parts, else a quick calibration from the folder's own good ones. Raises DataError, CalibrationError."""
    product = slug(folder.resolve().name)
    suggested = version.suggested_calibration(product)
    if suggested is not None:
        return Thresholds(suggested, f"as the model's card suggests: {_promise(suggested)}")
    [found] = calibrate_lines(version, {product: _good(version, folder)}, command=f"loupe demo --data {folder.resolve().name}")
    made = found.to_dict()
    return Thresholds(made, f"from {made['groups']} groups of good parts: {_promise(made)}")


def _good(version: ModelVersion, folder: Path) -> Iterator[Sample]:
    """Every so-many-th good part; of a model that has learnt here, only those that it left out."""
    if not (folder / "train" / "good").is_dir():
        raise DataError(f"{folder}: expected train/good to set thresholds with, since the model's card suggests none for these parts")
    samples = list(good_samples(folder, chosen=kept_from_training if has_learnt(version, folder) else None))
    return islice(samples, 0, None, max(1, len(samples) // QUICK_FRAMES))


def _promise(calibration: dict[str, Any]) -> str:
    promised = calibration.get("promised", {})
    if not promised:
        return "no promise is recorded"
    return f"at most {promised['review']:.1%} of good parts flagged, at most {promised['fail']:.1%} rejected (95 % confidence)"
