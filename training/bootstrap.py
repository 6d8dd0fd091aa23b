"""What was measured of each group -> 95 % intervals: groups are drawn again with replacement, and everything is measured anew.

Frames of one group show the same thing, so groups are drawn, not frames. Those that show a defect and those that do not are drawn apart,
each as many as there are, so that no draw lacks one of the two. What is kept of a draw is how far it moves a measure: pixels are drawn
in fewer bins than they are measured in. The draws depend on the groups alone: two detectors judged on the same frames are compared draw
by draw.

Legend: R draws, U groups, F frames, b bins.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.curves import auroc, average_precision

DRAWS = 1000
CONFIDENCE = 0.95
DRAWS_AT_ONCE = 50
"""Bounds the memory of a pass over them."""

Drawn = NDArray[np.int64]
Deviations = dict[str, NDArray[np.float64]]
"""Measure -> its value in each draw, less that of all groups once (R,)."""


def draw(defective: NDArray[np.bool_], *, seed: int = 0) -> Drawn | None:
    """Which of the groups (U,) show a defect -> how often each is drawn (R, U); None where one group alone stands for a class."""
    dice = np.random.default_rng(seed)
    drawn = np.zeros((DRAWS, len(defective)), np.int64)
    for members in (np.flatnonzero(defective), np.flatnonzero(~defective)):
        if len(members) < 2:
            return None
        drawn[:, members] = dice.multinomial(len(members), np.full(len(members), 1 / len(members)), size=DRAWS)
    return drawn


def image_deviations(drawn: Drawn, group: NDArray[np.int64], scores: NDArray[np.float64], defective: NDArray[np.bool_]) -> Deviations:
    """Frames (F,): the number of their group, what they scored and are."""
    order = np.argsort(-scores, kind="stable")
    distinct = np.flatnonzero(np.diff(scores[order], prepend=np.inf))  # frames of one score are found together
    values = []
    for part in _parts(drawn):
        weights = part[:, group[order]]
        positive, negative = (np.add.reduceat(weights * chosen, distinct, axis=1) for chosen in (defective[order], ~defective[order]))
        values.append(np.stack([auroc(positive, negative), average_precision(positive, negative)]))
    return _deviations(("image_auroc", "image_ap"), values)


def pixel_deviations(drawn: Drawn, counts: NDArray[np.float64], *, limit: float) -> Deviations:
    """`counts` (U, 3, b) are normal, defective and overlap of each group, from the lowest bin up."""
    used = counts[:, :, counts.any(axis=(0, 1))][:, :, ::-1]
    values = []
    for part in _parts(drawn):
        normal, defective, overlap = np.moveaxis((part.astype(np.float64) @ used.reshape(len(used), -1)).reshape(len(part), 3, -1), 1, 0)
        values.append(np.stack([average_precision(defective, normal), auroc(overlap, normal, limit=limit)]))
    return _deviations(("pixel_ap", "aupro"), values)


def share_deviations(drawn: Drawn, group: NDArray[np.int64], hit: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frames (F,): the number of their group, whether they count, and for how much they stand -> (R,); NaN where a draw holds none of weight."""
    everything = np.vstack([np.ones_like(drawn[:1]), drawn])
    hits, whole = (everything @ np.bincount(group, weights * chosen, minlength=drawn.shape[1]) for chosen in (hit, np.ones_like(hit)))
    with np.errstate(invalid="ignore"):
        shares = hits / whole
    return np.asarray(shares[1:] - shares[0])


def interval(value: float | None, deviations: NDArray[np.float64] | None) -> list[float] | None:
    """[low, high]: what the middle 95 % of the draws make of a measure; None where they could not be measured."""
    if value is None or deviations is None or np.isnan(deviations).any():
        return None
    tail = (1 - CONFIDENCE) / 2
    return [float(value + bound) for bound in np.quantile(deviations, (tail, 1 - tail))]


def _parts(drawn: Drawn) -> Iterator[Drawn]:
    """All groups once, then the draws, some at a time."""
    everything = np.vstack([np.ones_like(drawn[:1]), drawn])
    return (everything[at : at + DRAWS_AT_ONCE] for at in range(0, len(everything), DRAWS_AT_ONCE))


def _deviations(names: tuple[str, ...], parts: list[NDArray[np.float64]]) -> Deviations:
    """Parts of (measures, draws), the first draw that of all groups once."""
    values = np.concatenate(parts, axis=1)
    return dict(zip(names, values[:, 1:] - values[:, :1], strict=True))
