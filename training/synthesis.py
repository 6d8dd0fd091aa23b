"""Good parts -> parts with defects that nobody drew, and the mask of where: DSR learns from these alone.

Stage 2 alters codes: where a random mask says so, each code is replaced by another that is near, but not too near, to the feature
behind it (DSR, section 3.6). Stage 3 pastes smudges into pictures, whose outline is known to the pixel (section 3.5).

Legend: B batch, S side, D code size, K codes, hi the finer grid (S/4), lo the coarser one (S/8).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.dsr import Codec
from models.dsr.quantizer import Quantizer
from models.preprocessing import Pixels
from training.data import turned
from training.randomness import Randomness
from training.recipes import Similarity
from training.strokes import Mask, stroke_mask

SMALLEST_MASK = 12
"""Pixels; a mask with fewer is drawn again, for an empty one teaches that a defect is normal."""
NEAREST_RANK = 0.05
"""Share of the codes that are too near to the right one to make a defect."""
STRENGTHS: dict[Similarity, float] = {"paper": NEAREST_RANK, "authors": 0.2}
"""The least share of the codes, ranked by distance, among which a replacement is drawn; the share is drawn anew for each picture.
The paper begins where the codes that are too near end, the authors' code at a fifth."""


@dataclass(frozen=True, slots=True)
class Altered:
    """Codes of a batch with defects in some of its pictures."""

    q_lo: Tensor  # (B, D, S/8, S/8)
    q_hi: Tensor  # (B, D, S/4, S/4)
    target: Tensor  # (B, S, S), 1 where the altered grids differ


def perlin_mask(side: int, dice: np.random.Generator, *, threshold: float = 0.5) -> Mask:
    """(S, S), 0 or 1: smooth noise above a threshold, of 1 to 32 cells a side in each direction, turned by quarters."""
    cells = [int(2 ** dice.integers(0, 6)) for _ in range(2)]
    noise = _perlin(side, min(cells[0], side // 4), min(cells[1], side // 4), dice)
    mask: Mask = turned((noise > threshold).astype(np.uint8), dice)
    return mask


def random_mask(side: int, dice: np.random.Generator, *, strokes: float) -> Mask:
    """(S, S), 0 or 1, never nearly empty: strokes and spots with that probability, else Perlin noise."""
    while True:
        mask = stroke_mask(side, dice) if dice.random() < strokes else perlin_mask(side, dice)
        if mask.sum() >= SMALLEST_MASK:
            return mask


def random_masks(batch: int, side: int, dice: np.random.Generator, *, strokes: float) -> Tensor:
    """(B, S, S) of 0 or 1. The first half of a batch has defects, the rest stays normal."""
    defects = (batch + 1) // 2
    masks = [random_mask(side, dice, strokes=strokes) if index < defects else np.zeros((side, side), np.uint8) for index in range(batch)]
    return torch.from_numpy(np.stack(masks)).float()


def pooled(masks: Tensor, step: int) -> Tensor:
    """(B, S, S) -> (B, S/step, S/step), by maximum: an average would lose a thin scratch."""
    return F.max_pool2d(masks[:, None], step)[:, 0]


def repeated(mask: Tensor, times: int) -> Tensor:
    """(B, h, w) -> (B, times h, times w): back to the picture's grid, as coarse as it was."""
    return mask.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)


@torch.no_grad()
def altered_codes(codec: Codec, pictures: Tensor, masks: Tensor, dice: Randomness, *, similarity: Similarity) -> tuple[Altered, Tensor, Tensor]:
    """Alters the codes of (B, 3, S, S) under masks (B, S, S). Also returns the codes as they were, Q_lo and Q_hi."""
    batch = len(pictures)
    on_lo, on_hi = (grid.to(pictures.device) for grid in _grids(batch, dice.numpy))
    latent = codec.encode(pictures)
    mask_lo, mask_hi = pooled(masks, 8) * on_lo[:, None, None], pooled(masks, 4) * on_hi[:, None, None]
    indices_lo = replaced(codec.quantizer_lo, latent.f_lo, latent.lo.indices, mask_lo, dice, least=STRENGTHS[similarity])
    q_lo = codec.quantizer_lo.lookup(indices_lo)
    f_hi = codec.features_hi(latent.fine, q_lo)  # the finer features were told the coarser codes, so they change too
    indices_hi = replaced(codec.quantizer_hi, f_hi, codec.quantizer_hi.nearest(f_hi), mask_hi, dice, least=STRENGTHS[similarity])
    target = torch.maximum(repeated(mask_lo, 8), repeated(mask_hi, 4))
    return Altered(q_lo, codec.quantizer_hi.lookup(indices_hi), target), latent.lo.codes, latent.hi.codes


@torch.no_grad()
def replaced(quantizer: Quantizer, features: Tensor, indices: Tensor, mask: Tensor, dice: Randomness, *, least: float) -> Tensor:
    """Indices (B, h, w) with others under the mask: of the codes ranked by distance to the feature, one between 5 % and s, s of each picture in `least`..1."""
    places = mask.bool().nonzero()  # (n, 3)
    if not len(places):
        return indices
    codes = len(quantizer.codebook)
    at = features.permute(0, 2, 3, 1)[places[:, 0], places[:, 1], places[:, 2]]  # (n, D)
    order = quantizer.distances(at.T[None, :, :, None]).reshape(len(at), codes).argsort(dim=1)  # (n, K), nearest first
    strength = least + (1 - least) * torch.rand(len(mask), generator=dice.torch).to(mask.device)
    first = max(1, int(NEAREST_RANK * codes))
    last = (strength * codes).clamp(min=first + 1, max=codes)[places[:, 0]]
    rank = (first + torch.rand(len(at), generator=dice.torch).to(mask.device) * (last - first)).long().clamp(max=codes - 1)
    result = indices.clone()
    result[places[:, 0], places[:, 1], places[:, 2]] = order.gather(1, rank[:, None])[:, 0]
    return result


def smudged(picture: Pixels, other: Pixels, dice: np.random.Generator) -> tuple[Pixels, Mask]:
    """A good part and any other picture of its size -> the part with a smudge, and the smudge's mask (S, S) of 0 or 1."""
    mask = random_mask(picture.shape[0], dice, strokes=0.6)
    opacity = mask[..., None] * dice.uniform(0.35, 1)
    pasted = _smudge(picture, other, dice)
    mixed: Pixels = np.clip(picture * (1 - opacity) + pasted * opacity, 0, 255).astype(np.uint8)
    return mixed, mask


def _smudge(picture: Pixels, other: Pixels, dice: np.random.Generator) -> NDArray[np.floating]:
    kind = int(dice.integers(4))
    if kind == 0:  # lighter or darker, by enough to be seen
        change = dice.uniform(40, 130) * dice.choice([-1, 1])
        return picture.astype(np.float32) + change
    if kind == 1:
        return np.broadcast_to(dice.uniform(0, 255, 3), picture.shape).astype(np.float32)
    if kind == 2:  # the part's own surface, from elsewhere and turned
        return np.roll(turned(picture, dice), tuple(int(value) for value in dice.integers(0, picture.shape[0], 2)), (0, 1)).astype(np.float32) + dice.uniform(
            -40, 40
        )
    return cv2.GaussianBlur(turned(other, dice), (0, 0), float(dice.uniform(0.5, 4))).astype(np.float32)


def _grids(batch: int, dice: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Per picture: both grids with p 1/2, else one of the two."""
    draw = torch.from_numpy(dice.random(batch))
    return (draw < 0.75).float(), ((draw < 0.5) | (draw >= 0.75)).float()


def _perlin(side: int, rows: int, columns: int, dice: np.random.Generator) -> NDArray[np.floating]:
    """Gradient noise: at each corner of the cells a random direction, between them a smooth mixture; about -1..1."""
    angles = dice.uniform(0, 2 * np.pi, (rows + 1, columns + 1))
    y, x = (np.arange(side) * cells / side for cells in (rows, columns))
    row, column = y.astype(int), x.astype(int)
    dy, dx = y - row, x - column
    fade_y, fade_x = (6 * t**5 - 15 * t**4 + 10 * t**3 for t in (dy, dx))

    def corner(down: int, right: int) -> NDArray[np.floating]:
        angle = angles[np.ix_(row + down, column + right)]
        dot: NDArray[np.floating] = np.cos(angle) * (dx - right)[None, :] + np.sin(angle) * (dy - down)[:, None]
        return dot

    top = corner(0, 0) + fade_x[None, :] * (corner(0, 1) - corner(0, 0))
    bottom = corner(1, 0) + fade_x[None, :] * (corner(1, 1) - corner(1, 0))
    noise: NDArray[np.floating] = np.sqrt(2) * (top + fade_y[:, None] * (bottom - top))
    return noise
