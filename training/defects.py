"""Real defects with their masks -> what stages 2 and 3 mix in beside the synthetic ones (DSR, section 4.2).

A handful must not be learnt by heart: each time a defect is drawn it is shifted, scaled, lit and, where the parts allow it, turned anew,
and every second time cut out and laid upon a good part.

Legend: n defects, S side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preprocessing import Pixels, Preprocessing
from training.data import DataError
from training.labelled import mask_of
from training.strokes import Mask

TRANSPLANTED = 0.5
LARGEST_SHIFT = 0.08
"""Share of the side; more would push small parts out of the picture."""
SCALES = (0.9, 1.1)
CONTRASTS = (0.85, 1.15)
BRIGHTNESS = 12.0
MARGIN = 3
"""Pixels around a transplanted defect that are blended into the good part: a hard edge would be what is learnt."""


@dataclass(frozen=True, slots=True)
class Defects:
    """Defective parts as the network sees them."""

    pictures: Pixels  # (n, S, S, 3)
    masks: Mask  # (n, S, S), 0 or 1
    source: dict[str, int]
    """How many of which kind, for the model card."""

    def __len__(self) -> int:
        return len(self.pictures)


def read_defects(paths: Sequence[Path], preprocessing: Preprocessing) -> Defects:
    """Defective test pictures of the MVTec layout, each with its mask. DataError where a mask is missing or empty."""
    pictures = [preprocessing.decode(path.read_bytes()).pixels for path in paths]
    masks = [_shrunk(mask_of(path), preprocessing.side) for path in paths]
    empty = [str(path) for path, mask in zip(paths, masks, strict=True) if not mask.any()]
    if empty:
        raise DataError(f"defects: expected masks that show where, empty for {', '.join(empty)}")
    kinds = [path.parent.name for path in paths]
    return Defects(np.stack(pictures), np.stack(masks), {kind: kinds.count(kind) for kind in sorted(set(kinds))})


def varied(picture: Pixels, mask: Mask, part: Pixels, dice: np.random.Generator, *, turns: bool) -> tuple[Pixels, Mask]:
    """A defect and any good part -> the defect as it might come another time, and its mask. `turns`: parts of this line lie in any direction."""
    if turns:
        picture, mask = _turned(picture, mask, dice)
    moved, moved_mask = _moved(picture, mask, dice)
    if not moved_mask.any():  # a defect at the border was pushed out
        moved, moved_mask = picture, mask
    if dice.random() < TRANSPLANTED:
        moved = _transplanted(moved, moved_mask, part)
    return _lit(moved, dice), moved_mask


def _turned(picture: Pixels, mask: Mask, dice: np.random.Generator) -> tuple[Pixels, Mask]:
    quarters, mirrored = int(dice.integers(4)), dice.random() < 0.5
    turned = [np.rot90(one, quarters) for one in (picture, mask)]
    pixels, outline = (np.ascontiguousarray(one[:, ::-1] if mirrored else one) for one in turned)
    return pixels, outline


def _moved(picture: Pixels, mask: Mask, dice: np.random.Generator) -> tuple[Pixels, Mask]:
    side = picture.shape[0]
    change = cv2.getRotationMatrix2D((side / 2, side / 2), float(dice.uniform(-5, 5)), float(dice.uniform(*SCALES)))
    change[:, 2] += dice.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2) * side
    pixels = cv2.warpAffine(picture, change, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    return pixels, cv2.warpAffine(mask, change, (side, side), flags=cv2.INTER_NEAREST)


def _transplanted(picture: Pixels, mask: Mask, part: Pixels) -> Pixels:
    """The defect as it differs from its surroundings, laid upon another part, so that the two need not be equally bright."""
    soft = cv2.GaussianBlur(cv2.dilate(mask, np.ones((MARGIN, MARGIN), np.uint8)).astype(np.float32), (0, 0), MARGIN / 2)[..., None]
    around = (cv2.dilate(mask, np.ones((6 * MARGIN, 6 * MARGIN), np.uint8)) > 0) & (mask == 0)
    if not around.any():
        return picture
    shift = part[around].mean(axis=0) - picture[around].mean(axis=0)
    mixed: Pixels = np.clip(part * (1 - soft) + (picture + shift) * soft, 0, 255).astype(np.uint8)
    return mixed


def _lit(picture: Pixels, dice: np.random.Generator) -> Pixels:
    lit: Pixels = np.clip(picture * dice.uniform(*CONTRASTS) + dice.uniform(-BRIGHTNESS, BRIGHTNESS), 0, 255).astype(np.uint8)
    return lit


def _shrunk(mask: NDArray[np.bool_], side: int) -> Mask:
    """(H, W) -> (S, S) of 0 or 1, by any pixel covered: a thin scratch must not vanish."""
    rows, columns = mask.shape
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((max(1, rows // side), max(1, columns // side)), np.uint8))
    return cv2.resize(grown, (side, side), interpolation=cv2.INTER_NEAREST)
