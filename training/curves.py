"""Maps with their true masks, one at a time -> average precision, AUROC and AUPRO over all pixels, in bounded memory.

Pixels are counted by log-odds: a probability near 0 or 1 has no room left for differences, its log-odds have. AUPRO (Bergmann et al.,
arXiv:1911.02357) is the share that is found of each connected component of the true masks, their mean integrated over the false-positive
rate. That mean needs no list of components: each spreads a weight of 1 over the bins.

Legend: H W the mask's sides, b bins. Arrays of counts end in an axis from the highest value down; any axes before it are kept.
"""

from collections.abc import Iterable
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
Values = NDArray[np.float64]

BINS = 1 << 16
LOG_ODDS_LIMIT = 17.0
"""Beyond float32's last step below 1."""

FALSE_POSITIVE_LIMIT = 0.3
"""Of AUPRO, as published; beyond it a map would cover a third of every good part."""


class PixelCurve:
    """Counts pixels by log-odds, so that adding a frame costs the same memory as adding a million."""

    def __init__(self, bins: int = BINS) -> None:
        self.normal = np.zeros(bins, np.int64)
        self.defective = np.zeros(bins, np.int64)
        self.overlap = np.zeros(bins, np.float64)
        """Each connected component of a mask adds 1 in all, by the share of its pixels in each bin."""

    @classmethod
    def joined(cls, curves: Iterable[Self], bins: int = BINS) -> Self:
        total = cls(bins)
        for curve in curves:
            total.include(curve)
        return total

    def add(self, anomaly_map: Map, mask: Mask) -> None:
        """A map (h, w) of any size in 0..1, measured at the mask's (H, W)."""
        bins = self._bins(resize_map(anomaly_map, mask.shape[1], mask.shape[0]))
        found = bins[mask]
        self.defective += np.bincount(found, minlength=len(self.defective))
        self.normal += np.bincount(bins[~mask], minlength=len(self.normal))
        self.overlap += np.bincount(found, _share_of_component(mask), minlength=len(self.overlap))

    def include(self, other: Self) -> None:
        self.normal += other.normal
        self.defective += other.defective
        self.overlap += other.overlap

    def coarse(self, bins: int) -> NDArray[np.float64]:
        """Normal, defective, overlap in fewer bins: (3, bins)."""
        counts = np.stack([self.normal, self.defective, self.overlap])
        return np.asarray(counts.reshape(3, bins, -1).sum(axis=2), np.float64)

    def average_precision(self) -> float | None:
        """As scikit-learn's, with scores rounded to their bins; None without defective pixels."""
        return known(average_precision(self.defective[::-1], self.normal[::-1]))

    def auroc(self) -> float | None:
        return known(auroc(self.defective[::-1], self.normal[::-1]))

    def aupro(self, limit: float = FALSE_POSITIVE_LIMIT) -> float | None:
        """1 where every component is covered before a good pixel is called defective; None without a component or a good pixel."""
        return known(auroc(self.overlap[::-1], self.normal[::-1], limit=limit))

    def _bins(self, anomaly_map: Map) -> NDArray[np.int64]:
        share = (log_odds(anomaly_map) + LOG_ODDS_LIMIT) / (2 * LOG_ODDS_LIMIT)
        return np.minimum((share * len(self.normal)).astype(np.int64), len(self.normal) - 1)


def average_precision(positive: NDArray[Any], negative: NDArray[Any]) -> Values:
    """(..., b) counts from the highest value down -> (...); NaN without a positive."""
    true, false = np.cumsum(positive, axis=-1), np.cumsum(negative, axis=-1)
    precision = true / np.maximum(true + false, np.finfo(np.float64).tiny)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sum(positive / true[..., -1:] * precision, axis=-1))


def auroc(positive: NDArray[Any], negative: NDArray[Any], *, limit: float = 1.0) -> Values:
    """(..., b) counts from the highest value down -> area under the true over the false rate up to `limit`, as a share of it; NaN without both."""
    true, false = rates(positive), rates(negative)
    width = np.diff(false, axis=-1)
    inside = np.diff(np.minimum(false, limit), axis=-1)
    cut = np.divide(inside, width, out=np.zeros_like(width), where=width > 0)  # the one step that crosses the limit counts in part
    rise = np.diff(true, axis=-1)
    return np.asarray(np.sum(inside * (true[..., :-1] + rise * cut / 2), axis=-1) / limit)


def rates(counts: NDArray[Any]) -> Values:
    """(..., b) from the highest value down -> (..., 1 + b), the share that lies above, from 0 to 1; NaN where there is nothing."""
    above = np.cumsum(counts, axis=-1, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.insert(above / above[..., -1:], 0, 0.0, axis=-1)


def log_odds(probability: NDArray[Any]) -> Values:
    """ln(p / (1 - p)), within +-17; ValueError outside 0..1."""
    p = np.asarray(probability, np.float64)
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise ValueError(f"probability: expected 0..1, got {p.min():g}..{p.max():g}")
    with np.errstate(divide="ignore"):
        return np.clip(np.log(p) - np.log1p(-p), -LOG_ODDS_LIMIT, LOG_ODDS_LIMIT)


def resize_map(anomaly_map: Map, width: int, height: int) -> Map:
    """(h, w) -> (height, width), interpolated: what the dashboard draws over the original picture."""
    if anomaly_map.shape == (height, width):
        return anomaly_map
    resized: Map = cv2.resize(anomaly_map, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized


def known(value: Values) -> float | None:
    return None if np.isnan(value) else float(value)


def _share_of_component(mask: Mask) -> Values:
    """Of each defective pixel, in the mask's order: 1 / pixels of its component. Components touch at corners too, as in MVTec's own evaluation."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    labels = labels[mask]
    return np.asarray(1 / np.maximum(np.bincount(labels), 1))[labels]
