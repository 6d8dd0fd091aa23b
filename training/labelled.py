"""Folders of pictures -> samples with what is known of them: kind, true mask, group.

MVTec layout: `<product>/train/good`, `<product>/test/<good or defect>`, `<product>/ground_truth/<defect>/<stem>_mask.png`, and where some
pictures show the same thing, `<product>/groups.csv` (image, group).
"""

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from training.data import SUFFIXES, DataError, find_good
from training.evaluation import GOOD, Mask

CALIBRATION_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Sample:
    """One encoded picture; `mask` (H, W) is true where it is defective, None where nobody drew that."""

    line: str
    kind: str
    image: bytes
    mask: Mask | None
    group: str


def good_samples(folder: Path, *, chosen: Callable[[Path], bool] | None = None) -> Iterator[Sample]:
    """The good pictures of a folder, or the chosen ones of them."""
    for path in find_good(folder):
        if chosen is None or chosen(path):
            yield Sample(product_of(path).name, GOOD, path.read_bytes(), None, group_of(path))


def is_training_folder(folder: Path) -> bool:
    """Whether a detector may have learnt from the folder, and left a fifth of it out; a plain folder holds what its owner says."""
    return (folder / "train" / "good").is_dir() or any(folder.glob("*/train/good"))


def labelled_samples(folder: Path) -> Iterator[Sample]:
    """The test pictures of one product, or of several side by side, with their masks. DataError where there are none."""
    products = [folder] if (folder / "test").is_dir() else sorted(path.parent for path in folder.glob("*/test"))
    paths = [path for product in products for path in sorted((product / "test").rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not paths:
        raise DataError(f"{folder}: expected test/good and test/<defect> with JPEG or PNG pictures, got none")
    for path in paths:
        kind = path.parent.name
        mask = None if kind == GOOD else _read_mask(product_of(path) / "ground_truth" / kind / f"{path.stem}_mask.png")
        yield Sample(product_of(path).name, kind, path.read_bytes(), mask, group_of(path))


def kept_from_training(path: Path) -> bool:
    """Whether a good picture is left to calibrate with: a fifth, by a hash of its group, so that no later picture moves it."""
    digest = hashlib.sha256(group_of(path).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < CALIBRATION_SHARE


def group_of(path: Path) -> str:
    """Pictures of one group show the same thing; without groups.csv each picture is its own."""
    product = product_of(path)
    name = path.relative_to(product).as_posix()
    return f"{product.name}/{_groups(product).get(name, name)}"


def product_of(path: Path) -> Path:
    """The folder of the product that a picture shows."""
    return path.parents[2] if path.parent.parent.name in ("train", "test") else path.parent


@cache
def _groups(product: Path) -> dict[str, str]:
    listed = product / "groups.csv"
    if not listed.is_file():
        return {}
    with listed.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"image", "group"} <= rows[0].keys():
        raise DataError(f"{listed}: expected the columns image and group, got {sorted(rows[0])}")
    return {row["image"]: row["group"] for row in rows}


def _read_mask(path: Path) -> Mask:
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise DataError(f"{path}: expected the mask of a defective picture")
    return np.asarray(mask > 127)
