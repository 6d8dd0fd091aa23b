"""Anomaly score -> decision, and anomaly map -> regions in the original picture's pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

from services.contract.inspection import Calibration, Decision, Region

AnomalyMap = NDArray[np.float32]
MOST_REGIONS = 20
"""The strongest are kept; a map full of speckles should not become a message full of boxes."""


def decide(score: float, calibration: Calibration) -> Decision:
    """At or above `fail` the part is rejected, at or above `review` a person looks."""
    if score >= calibration.fail:
        return Decision.FAIL
    return Decision.REVIEW if score >= calibration.review else Decision.PASS


def regions(anomaly_map: AnomalyMap, threshold: float, *, width: int, height: int) -> tuple[Region, ...]:
    """Connected areas of a map (S, S) at or above `threshold`, strongest first, as boxes in a picture of width x height."""
    hot = (anomaly_map >= threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(hot, connectivity=8)
    found = [_region(stats[label], float(anomaly_map[labels == label].max()), anomaly_map.shape, (height, width)) for label in range(1, count)]
    return tuple(sorted(found, key=lambda region: (-region.peak, -region.area))[:MOST_REGIONS])


def _region(stats: NDArray[np.int32], peak: float, map_shape: tuple[int, ...], picture_shape: tuple[int, int]) -> Region:
    """Boxes grow outwards to whole pixels, so that a box never cuts the area it stands for."""
    scale_y, scale_x = picture_shape[0] / map_shape[0], picture_shape[1] / map_shape[1]
    left, top, right, bottom = stats[0] * scale_x, stats[1] * scale_y, (stats[0] + stats[2]) * scale_x, (stats[1] + stats[3]) * scale_y
    x, y = int(np.floor(left)), int(np.floor(top))
    return Region(
        x=x,
        y=y,
        width=max(1, int(np.ceil(right)) - x),
        height=max(1, int(np.ceil(bottom)) - y),
        area=max(1, round(float(stats[4]) * scale_x * scale_y)),
        peak=min(1.0, max(0.0, peak)),
    )
