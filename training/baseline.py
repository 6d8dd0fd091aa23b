"""What one would try before any network: how far a frame is from the pixelwise median of good ones -> image AUROC by line."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.evaluation import GOOD, image_auroc, mean_of


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a frame is from the median one: over the whole picture, and in its worst window."""

    mean: float
    worst_window: float


class MedianBaseline:
    """|frame - pixelwise median of good frames|, after the same preprocessing."""

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
