"""Judged frames with their truth, one at a time -> image and pixel metrics per line and per kind of defect, in bounded memory.

Image level: AUROC and average precision of the anomaly scores. Pixel level: average precision and AUPRO over every pixel at the resolution
of the true mask (`training/curves.py`). Each with a 95 % interval over groups (`training/bootstrap.py`), for which every group keeps
counts of its own in fewer bins; beyond 512 groups they share, which draws them in bundles.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from training.bootstrap import Deviations, draw, image_deviations, interval, pixel_deviations
from training.curves import FALSE_POSITIVE_LIMIT, Map, Mask, PixelCurve

GOOD = "good"
MEASURES = ("image_auroc", "image_ap", "pixel_ap", "aupro")

MOST_BUNDLES = 512
COARSE_BINS = 1 << 12
"""96 KB for the frames of one kind in a bundle, so 50 to 100 MB a line at most. On three real data sets pixel AP moved by less than 0.0001."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A frame as the model saw it, beside what it is.

    `kind` is "good" or a class of defect; `mask` (H, W) is true where the part is defective, at the original resolution, and None where
    nobody drew it: then the frame is measured as a whole, and its pixels are not.
    """

    line: str
    kind: str
    score: float
    anomaly_map: Map  # (h, w), any resolution
    mask: Mask | None  # (H, W)
    group: str
    """Frames of one group show the same thing."""
    coarse_map: Map | None = None
    """The detection module's map, to compare with the upsampling module's."""
    image: bytes = b""
    """As it was encoded, and its name: for a person to look at."""
    name: str = ""

    @property
    def good(self) -> bool:
        return self.kind == GOOD


@dataclass(slots=True)
class LineMeasurement:
    """What is kept of a line's frames while they stream by."""

    line: str
    scores: list[float] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    bundles: list[int] = field(default_factory=list)
    pixels: dict[str, PixelCurve] = field(default_factory=partial(defaultdict, PixelCurve))
    """By kind."""
    coarse_pixels: PixelCurve = field(default_factory=PixelCurve)
    _groups: dict[str, int] = field(default_factory=dict)
    _counts: dict[tuple[int, str], NDArray[np.float64]] = field(default_factory=dict)
    """By bundle of groups and kind: (3, COARSE_BINS)."""

    def add(self, judged: Judged) -> None:
        group = self._groups.setdefault(judged.group, len(self._groups))
        self.scores.append(judged.score)
        self.kinds.append(judged.kind)
        self.bundles.append(group % MOST_BUNDLES)
        if judged.mask is None:
            return
        frame = PixelCurve()
        frame.add(judged.anomaly_map, judged.mask)
        self.pixels[judged.kind].include(frame)
        key = (self.bundles[-1], judged.kind)
        self._counts[key] = frame.coarse(COARSE_BINS) + self._counts.get(key, 0.0)
        if judged.coarse_map is not None:
            self.coarse_pixels.add(judged.coarse_map, judged.mask)

    @property
    def defects(self) -> list[str]:
        """The kinds of defect that were seen."""
        return sorted(set(self.kinds) - {GOOD})

    def report(self, whole: Deviations, review: float | None = None) -> dict[str, Any]:
        """Metrics of the line with its deviations; `review` adds what that threshold would pass and flag."""
        scores, defective = np.array(self.scores), np.array(self.kinds) != GOOD
        metrics: dict[str, Any] = {
            **self.metrics(self.defects, whole),
            "pixel_auroc": self.curve(self.defects).auroc(),
            "pixel_ap_coarse": self.coarse_pixels.average_precision(),
            "frames": len(scores),
            "defective": int(defective.sum()),
            "groups": len(self._groups),
            "kinds": {kind: {**self._extent(kind), **self.metrics([kind], self.deviations([kind]))} for kind in self.defects},
        }
        if review is not None:
            metrics |= {"passed_good": _share(scores[~defective] < review), "flagged_defective": _share(scores[defective] >= review)}
        return metrics

    def metrics(self, defects: Collection[str], deviations: Deviations) -> dict[str, Any]:
        """Frames of these kinds of defect against all good ones of the line."""
        chosen = self._chosen(defects)
        scores, defective = np.array(self.scores)[chosen], np.array(self.kinds)[chosen] != GOOD
        curve = self.curve(defects)
        values = {
            "image_auroc": image_auroc(scores, defective),
            "image_ap": float(average_precision_score(defective, scores)) if defective.any() else None,
            "pixel_ap": curve.average_precision(),
            "aupro": curve.aupro(),
        }
        return {**values, "intervals": {name: interval(values[name], deviations.get(name)) for name in MEASURES}}

    def curve(self, defects: Collection[str]) -> PixelCurve:
        """Pixels of these kinds of defect and of all good frames."""
        return PixelCurve.joined(self.pixels[kind] for kind in (GOOD, *defects) if kind in self.pixels)

    def deviations(self, defects: Collection[str]) -> Deviations:
        """The four measures in each draw of the groups; empty where there are too few to draw from."""
        chosen = self._chosen(defects)
        numbers, bundle = np.unique(np.array(self.bundles)[chosen], return_inverse=True)
        defective = np.array(self.kinds)[chosen] != GOOD
        drawn = draw(np.isin(np.arange(len(numbers)), bundle[defective]), seed=crc32(self.line.encode()))
        if drawn is None:
            return {}
        counts = np.stack([self._bundle_counts(int(number), defects) for number in numbers])
        return {
            **image_deviations(drawn, bundle, np.array(self.scores)[chosen], defective),
            **pixel_deviations(drawn, counts, limit=FALSE_POSITIVE_LIMIT),
        }

    def _extent(self, kind: str) -> dict[str, int]:
        bundles = {bundle for bundle, shown in zip(self.bundles, self.kinds, strict=True) if shown == kind}
        return {"frames": self.kinds.count(kind), "groups": len(bundles)}

    def _chosen(self, defects: Collection[str]) -> NDArray[np.bool_]:
        return np.isin(self.kinds, [GOOD, *defects])

    def _bundle_counts(self, bundle: int, defects: Collection[str]) -> NDArray[np.float64]:
        return np.sum([self._counts.get((bundle, kind), np.zeros((3, COARSE_BINS))) for kind in (GOOD, *defects)], axis=0)


def evaluate(frames: Iterable[Judged], *, review: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Reads the frames once. The totals are means over lines, so that no line hides behind an easy one."""
    return report_of(measure(frames), review=review)


def measure(frames: Iterable[Judged]) -> dict[str, LineMeasurement]:
    """By line, in the order of their names."""
    lines: dict[str, LineMeasurement] = {}
    for judged in frames:
        lines.setdefault(judged.line, LineMeasurement(judged.line)).add(judged)
    return dict(sorted(lines.items()))


def report_of(lines: Mapping[str, LineMeasurement], *, review: Mapping[str, float] | None = None) -> dict[str, Any]:
    deviations = {line: measured.deviations(measured.defects) for line, measured in lines.items()}
    reports = {line: measured.report(deviations[line], (review or {}).get(line)) for line, measured in lines.items()}
    means = {name: mean_of(report[name] for report in reports.values()) for name in (*MEASURES, "pixel_ap_coarse")}
    drawn = mean_deviations([deviations[line] for line, measured in lines.items() if measured.defects])
    return {
        **means,
        "intervals": {name: interval(means[name], drawn.get(name)) for name in MEASURES},
        "kinds": _kinds(reports),
        "lines": reports,
        "lowest_line": _lowest(reports),
        "frames": sum(len(measured.scores) for measured in lines.values()),
    }


def mean_deviations(lines: Collection[Deviations]) -> Deviations:
    """Of the means over lines, each drawn by itself; empty where one has too few groups to draw from."""
    return {name: np.mean([deviations[name] for deviations in lines], axis=0) for name in MEASURES} if lines and all(lines) else {}


def image_auroc(scores: NDArray[np.float64], defective: NDArray[np.bool_]) -> float | None:
    """None where one of the two classes is missing."""
    return float(roc_auc_score(defective, scores)) if defective.any() and not defective.all() else None


def mean_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _kinds(reports: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Kinds of defect of all lines; by line and kind where there are several lines."""
    several = len(reports) > 1
    return {f"{line}/{kind}" if several else kind: found for line, report in reports.items() for kind, found in report["kinds"].items()}


def _lowest(reports: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    known = {line: report for line, report in reports.items() if report["image_auroc"] is not None}
    if not known:
        return None
    line = min(known, key=lambda name: (known[name]["image_auroc"], known[name]["pixel_ap"]))
    return {"line": line, "image_auroc": known[line]["image_auroc"], "pixel_ap": known[line]["pixel_ap"]}


def _share(chosen: NDArray[np.bool_]) -> float | None:
    return float(chosen.mean()) if chosen.size else None
