"""Random strokes and spots: masks of things that are thin or small, which smooth noise does not make.

Legend: S side of a picture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]


def stroke_mask(side: int, dice: np.random.Generator) -> Mask:
    """(S, S), 0 or 1: one to three bent lines (1-4 px at side 128) or filled ellipses."""
    mask = np.zeros((side, side), np.uint8)
    scale = side / 128
    for _ in range(int(dice.integers(1, 4))):
        if dice.random() < 0.6:
            _line(mask, scale, dice)
        else:
            _spot(mask, scale, dice)
    return mask


def _line(mask: Mask, scale: float, dice: np.random.Generator) -> None:
    side = mask.shape[0]
    point = dice.uniform(0, side, 2)
    angle, length = dice.uniform(0, 2 * np.pi), dice.uniform(8, 80) * scale
    pieces = int(dice.integers(2, 6))
    points = [point]
    for _ in range(pieces):
        angle += dice.normal(0, 0.25)
        points.append(points[-1] + length / pieces * np.array([np.cos(angle), np.sin(angle)]))
    width = max(1, round(float(dice.uniform(1, 4)) * scale))
    cv2.polylines(mask, [np.round(points).astype(np.int32)], False, (1,), width)


def _spot(mask: Mask, scale: float, dice: np.random.Generator) -> None:
    centre = tuple(int(value) for value in dice.integers(0, mask.shape[0], 2))
    axes = tuple(max(1, round(float(value) * scale)) for value in dice.uniform(1, 14, 2))
    cv2.ellipse(mask, centre, axes, float(dice.uniform(0, 180)), 0, 360, (1,), -1)
