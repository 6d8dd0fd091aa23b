"""Judged frames with their truth, one at a time -> image and pixel metrics per line, in bounded memory.

Image level: AUROC and average precision of the anomaly scores. Pixel level: the same over every pixel at the resolution of the
true mask, from a histogram of 2^16 bins in log-odds (a probability near 0 or 1 has no room left for differences, its log-odds have).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

GOOD = "good"

BINS = 1 << 16
LOG_ODDS_LIMIT = 17.0
"""Beyond float32's last step below 1."""

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judged:
    """A frame as the model saw it, beside what it is.

    `kind` is "good" or a class of defect; `mask` (H, W) is true where the part is defective, at the original resolution.
    """

    line: str
    kind: str
    score: float
    anomaly_map: Map  # (h, w), any resolution
    mask: Mask  # (H, W)
    coarse_map: Map | None = None
    """The detection module's map, to compare with the upsampling module's."""

    @property
    def good(self) -> bool:
        return self.kind == GOOD


class PixelCurve:
    """Counts pixels by log-odds, so that adding a frame costs the same memory as adding a million."""

    def __init__(self, bins: int = BINS) -> None:
        self.normal = np.zeros(bins, np.int64)
        self.defective = np.zeros(bins, np.int64)

    def add(self, anomaly_map: Map, mask: Mask) -> None:
        bins = self._bins(resize_map(anomaly_map, mask.shape[1], mask.shape[0]))
        self.defective += np.bincount(bins[mask], minlength=len(self.defective))
        self.normal += np.bincount(bins[~mask], minlength=len(self.normal))

    def average_precision(self) -> float | None:
        """As scikit-learn's, with scores rounded to their bins; None without defective pixels."""
        true, false = self._from_above()
        if not true[-1]:
            return None
        precision = true / np.maximum(true + false, 1)
        return float(np.sum(np.diff(true, prepend=0) / true[-1] * precision))

    def auroc(self) -> float | None:
        true, false = self._from_above()
        if not true[-1] or not false[-1]:
            return None
        return float(np.trapezoid(np.append(0, true / true[-1]), np.append(0, false / false[-1])))

    def _from_above(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return np.cumsum(self.defective[::-1]), np.cumsum(self.normal[::-1])

    def _bins(self, anomaly_map: Map) -> NDArray[np.int64]:
        share = (log_odds(anomaly_map) + LOG_ODDS_LIMIT) / (2 * LOG_ODDS_LIMIT)
        return np.minimum((share * len(self.normal)).astype(np.int64), len(self.normal) - 1)


@dataclass(slots=True)
class LineMeasurement:
    """What is kept of a line's frames while they stream by."""

    scores: list[float] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    pixels: PixelCurve = field(default_factory=PixelCurve)
    coarse_pixels: PixelCurve = field(default_factory=PixelCurve)

    def add(self, judged: Judged) -> None:
        self.scores.append(judged.score)
        self.kinds.append(judged.kind)
        self.pixels.add(judged.anomaly_map, judged.mask)
        if judged.coarse_map is not None:
            self.coarse_pixels.add(judged.coarse_map, judged.mask)

    def report(self, review: float | None = None) -> dict[str, Any]:
        """Metrics of the line; `review` adds what that threshold would pass and flag."""
        defective = np.array([kind != GOOD for kind in self.kinds])
        scores = np.array(self.scores)
        metrics: dict[str, Any] = {
            "image_auroc": image_auroc(scores, defective),
            "image_ap": float(average_precision_score(defective, scores)) if defective.any() else None,
            "pixel_ap": self.pixels.average_precision(),
            "pixel_auroc": self.pixels.auroc(),
            "pixel_ap_coarse": self.coarse_pixels.average_precision(),
            "frames": len(scores),
            "defective": int(defective.sum()),
            "kinds": self._kinds(scores, defective),
        }
        if review is not None:
            metrics |= {"passed_good": _share(scores[~defective] < review), "flagged_defective": _share(scores[defective] >= review)}
        return metrics

    def _kinds(self, scores: NDArray[np.float64], defective: NDArray[np.bool_]) -> dict[str, dict[str, Any]]:
        """Each kind of defect against all good frames of its line."""
        kinds = np.array(self.kinds)
        reports = {}
        for kind in sorted(set(self.kinds) - {GOOD}):
            chosen = (kinds == kind) | ~defective
            reports[kind] = {"frames": int((kinds == kind).sum()), "image_auroc": image_auroc(scores[chosen], defective[chosen])}
        return reports


def evaluate(frames: Iterable[Judged], *, review: dict[str, float] | None = None) -> dict[str, Any]:
    """Reads the frames once. The totals are means over lines, so that no line hides behind an easy one."""
    lines: dict[str, LineMeasurement] = defaultdict(LineMeasurement)
    for judged in frames:
        lines[judged.line].add(judged)
    reports = {line: lines[line].report((review or {}).get(line)) for line in sorted(lines)}
    means = {name: mean_of(report[name] for report in reports.values()) for name in ("image_auroc", "image_ap", "pixel_ap", "pixel_ap_coarse")}
    return {**means, "lines": reports, "lowest_line": _lowest(reports), "frames": sum(len(measured.scores) for measured in lines.values())}


def image_auroc(scores: NDArray[np.float64], defective: NDArray[np.bool_]) -> float | None:
    """None where one of the two classes is missing."""
    return float(roc_auc_score(defective, scores)) if defective.any() and not defective.all() else None


def mean_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def log_odds(probability: NDArray[Any]) -> NDArray[np.float64]:
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


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a frame is from the median one: over the whole picture, and in its worst window."""

    mean: float
    worst_window: float


class MedianBaseline:
    """What one would try first: |frame - pixelwise median of good frames|, after the same preprocessing."""

    def __init__(self, good: Iterable[NDArray[np.uint8]], *, window: int) -> None:
        self.median = np.median(np.stack(list(good)), axis=0).astype(np.float32)  # (S, S, 3)
        self.window = window

    def difference(self, pixels: NDArray[np.uint8]) -> Difference:
        distance = np.abs(pixels.astype(np.float32) - self.median).mean(axis=2)
        return Difference(float(distance.mean()), float(cv2.blur(distance, (self.window, self.window)).max()))


class BaselineMeasurement:
    """Differences by line -> image AUROC, of the better of the two numbers: the harder bar to clear."""

    def __init__(self) -> None:
        self.lines: dict[str, list[tuple[str, Difference]]] = defaultdict(list)

    def add(self, line: str, kind: str, difference: Difference) -> None:
        self.lines[line].append((kind, difference))

    def report(self) -> dict[str, Any]:
        by_mean, by_window = ({line: self._auroc(line, name) for line in sorted(self.lines)} for name in ("mean", "worst_window"))
        better = max((by_mean, by_window), key=lambda lines: mean_of(lines.values()) or 0)
        return {"baseline_image_auroc": mean_of(better.values()), "baseline_lines": better}

    def _auroc(self, line: str, name: str) -> float | None:
        frames = self.lines[line]
        return image_auroc(np.array([getattr(difference, name) for _, difference in frames]), np.array([kind != GOOD for kind, _ in frames]))


def _lowest(reports: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    known = {line: report for line, report in reports.items() if report["image_auroc"] is not None}
    if not known:
        return None
    line = min(known, key=lambda name: (known[name]["image_auroc"], known[name]["pixel_ap"]))
    return {"line": line, "image_auroc": known[line]["image_auroc"], "pixel_ap": known[line]["pixel_ap"]}


def _share(chosen: NDArray[np.bool_]) -> float | None:
    return float(chosen.mean()) if chosen.size else None
