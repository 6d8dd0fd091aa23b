"""Folders of pictures -> what the stages learn from: whole parts for the detector, crops for the codec.

Parts go through `models.preprocessing`, as they do when served. Only good ones are read: `train/good` of the MVTec layout,
of one product or of several side by side, or a plain folder that holds nothing but good parts.

Legend: N parts, S the network's side, BGR throughout.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preprocessing import Pixels, Preprocessing
from training.groups import kept_for_validation
from training.strokes import stroke_mask

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
SMALLEST_GOOD_SET = 16
CROPS_HELD_OUT_EVERY = 10


class DataError(ValueError):
    """Pictures that cannot be learnt from."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Good parts as the network sees them, and the few kept aside to check it."""

    learn: Pixels  # (N, S, S, 3)
    held_out: Pixels  # (n, S, S, 3), of other groups
    source: dict[str, int]
    """How many pictures came from which folder, for the model card."""
    paths: tuple[Path, ...] = ()
    """Of those to learn from, in their order."""


@dataclass(frozen=True, slots=True)
class Crops:
    """Pictures of anything: what a codec learns to draw, and a tenth of every folder to check it with."""

    learn: tuple[Pixels, ...]
    held_out: dict[str, tuple[Pixels, ...]]
    """By the name of the folder that was asked for."""
    source: dict[str, int]


def find_good(folder: Path) -> list[Path]:
    """The good pictures of a folder. DataError where it is missing, holds none, or may hold defects too."""
    if not folder.is_dir():
        raise DataError(f"pictures: expected a folder, got {str(folder)!r}")
    own = folder / "train" / "good"
    good = [own] if own.is_dir() else sorted(place for place in folder.glob("*/train/good") if place.is_dir())
    if not good and any((folder / name).exists() for name in ("test", "ground_truth")):
        raise DataError(f"{folder}: has defects (test, ground_truth) but no train/good; name the folder of good parts")
    pictures = [path for place in good or [folder] for path in sorted(place.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not pictures:
        raise DataError(f"{folder}: expected JPEG or PNG pictures, directly or in train/good, got none")
    return pictures


def read_parts(folders: Sequence[Path], preprocessing: Preprocessing, *, left_out: Callable[[Path], bool] | None = None) -> Parts:
    """The good parts of the folders, but those to be left out. DataError for too few: a network learns a handful by heart and calls the rest defects."""
    paths = [path for folder in folders for path in find_good(folder) if left_out is None or not left_out(path)]
    if len(paths) < SMALLEST_GOOD_SET:
        raise DataError(f"good parts: expected at least {SMALLEST_GOOD_SET} pictures, got {len(paths)} in {[str(folder) for folder in folders]}")
    aside = kept_for_validation(paths)
    learn = [path for path in paths if path not in aside]
    return Parts(_stacked(learn, preprocessing), _stacked(sorted(aside), preprocessing), _counted(paths), tuple(learn))


def read_crops(folders: Sequence[Path], preprocessing: Preprocessing, *, crop: int) -> Crops:
    """Pictures to draw crops from: parts at the scale they are served in, anything else at its own."""
    learn: list[Pixels] = []
    held_out: dict[str, tuple[Pixels, ...]] = {}
    used: list[Path] = []
    for folder in folders:
        pictures = {path: pixels for path in find_good(folder) if min((pixels := _read_picture(path, preprocessing)).shape[:2]) >= crop}
        aside = set(list(pictures)[CROPS_HELD_OUT_EVERY // 2 :: CROPS_HELD_OUT_EVERY])
        held_out[folder.resolve().name] = tuple(pictures[path] for path in sorted(aside))
        learn += [pixels for path, pixels in pictures.items() if path not in aside]
        used += pictures
    if len(used) < SMALLEST_GOOD_SET:
        raise DataError(f"codec: expected at least {SMALLEST_GOOD_SET} pictures of {crop} x {crop} pixels or more, got {len(used)}")
    return Crops(tuple(learn), held_out, _counted(used))


def draw_crop(picture: Pixels, side: int, dice: np.random.Generator, *, strokes: float) -> Pixels:
    """(H, W, 3) -> (side, side, 3): half of them shrunk, turned by quarters and flipped, some grey, some drawn upon."""
    least = side / min(picture.shape[:2])
    shrink = float(dice.uniform(max(0.6, least), 1)) if dice.random() < 0.5 and least < 1 else 1.0
    window = min(min(picture.shape[:2]), round(side / shrink))
    top, left = (int(dice.integers(0, size - window + 1)) for size in picture.shape[:2])
    crop = picture[top : top + window, left : left + window]
    if window != side:
        crop = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    crop = turned(crop, dice)
    if dice.random() < 0.15:
        crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return _drawn_upon(crop, dice) if dice.random() < strokes else crop


def turned(picture: Pixels, dice: np.random.Generator) -> Pixels:
    """One of the eight ways a square lies on a table."""
    quarter = np.rot90(picture, int(dice.integers(4)))
    return np.ascontiguousarray(quarter[:, ::-1] if dice.random() < 0.5 else quarter)


def rotated(picture: Pixels, dice: np.random.Generator) -> Pixels:
    """Turned by any angle about its middle, the corners mirrored in."""
    side = picture.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(dice.uniform(0, 360)), 1.0)
    result: Pixels = cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    return result


def _drawn_upon(crop: Pixels, dice: np.random.Generator) -> Pixels:
    mask = stroke_mask(crop.shape[0], dice)[..., None] * dice.uniform(0.3, 1)
    ink: NDArray[np.floating] = dice.uniform(0, 255, 3) if dice.random() < 0.5 else np.full(3, dice.uniform(0, 255))
    mixed: Pixels = np.clip(crop * (1 - mask) + ink * mask, 0, 255).astype(np.uint8)
    return mixed


def _stacked(paths: Sequence[Path], preprocessing: Preprocessing) -> Pixels:
    return np.stack([_read_part(path, preprocessing) for path in paths])


def _counted(paths: Sequence[Path]) -> dict[str, int]:
    """Pictures per product or folder."""
    return dict(Counter(path.parents[2].name if path.parent.name == "good" else path.parent.name for path in paths))


def _read_picture(path: Path, preprocessing: Preprocessing) -> Pixels:
    return _read_part(path, preprocessing) if path.parent.name == "good" else _read_scene(path)


def _read_part(path: Path, preprocessing: Preprocessing) -> Pixels:
    return preprocessing.decode(path.read_bytes()).pixels


def _read_scene(path: Path) -> Pixels:
    pixels: Pixels | None = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise DataError(f"{path}: expected a readable picture")
    return pixels
