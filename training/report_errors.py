"""The worst errors of a line -> one page that shows what the detector saw, and what it should have seen."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.curves import LOG_ODDS_LIMIT, Mask, PixelCurve, log_odds, rates, resize_map
from training.evaluation import GOOD, Judged, LineMeasurement
from training.page import new_page
from training.worst import WorstErrors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OUTLINE = (255, 255, 0)  # RGB
TILE = 240
"""Longer side of a picture on the page, in pixels."""

Shown = NDArray[np.uint8]  # (H, W, 3) RGB


def errors(line: str, measured: LineMeasurement, worst: WorstErrors) -> "Figure":
    """Missed defects left, false alarms right: the picture with the outline of the true defect, and beside it the map."""
    rows = max(len(worst.missed), len(worst.alarms), 1)
    page = new_page(11.5, 1.2 + 2.75 * rows)
    page.suptitle(f"{line}: the worst errors, one of each group", fontsize=13)
    scale = _map_scale(measured.curve(measured.defects))
    scores, good = np.array(measured.scores), np.array(measured.kinds) == GOOD
    halves: Any = page.subfigures(1, 2, wspace=0.03)
    left, right = halves
    left.suptitle("defects that scored lowest", fontsize=11)
    right.suptitle("good parts that scored highest", fontsize=11)
    for axes, judged in zip(_grid(left, rows), worst.missed, strict=False):
        _pair(axes, judged, scale, f"below {(scores[good] > judged.score).sum()} of {good.sum()} good frames")
    for axes, judged in zip(_grid(right, rows), worst.alarms, strict=False):
        _pair(axes, judged, scale, f"above {(scores[~good] < judged.score).sum()} of {(~good).sum()} defective frames")
    return page


def _grid(part: Any, rows: int) -> Any:
    """(rows, 2) of axes without their frames."""
    axes = part.subplots(rows, 2, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    return axes


def _map_scale(curve: PixelCurve) -> tuple[float, float]:
    """Log-odds from black to white, the same on all maps of a line: from the middle of the good pixels to the highest thousandth of all."""
    edges = np.linspace(-LOG_ODDS_LIMIT, LOG_ODDS_LIMIT, len(curve.normal) + 1)[1:]
    low = edges[np.searchsorted(rates(curve.normal)[1:], 0.5)]
    high = edges[np.searchsorted(rates(curve.normal + curve.defective)[1:], 0.999)]
    return float(low), float(max(high, low + 0.5))


def _pair(axes: Any, judged: Judged, scale: tuple[float, float], note: str) -> None:
    picture = _fitted(_decoded(judged))
    axes[0].imshow(_outlined(picture, judged.mask))
    axes[1].imshow(_outlined(_heated(picture, judged, scale), judged.mask))
    axes[0].set_title(f"{judged.kind} {Path(judged.name).stem}\nscore {judged.score:.3g}, {note}", fontsize=8, loc="left")


def _decoded(judged: Judged) -> Shown:
    pixels = cv2.imdecode(np.frombuffer(judged.image, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert pixels is not None, "the detector has decoded it before"
    return np.asarray(pixels[..., ::-1])


def _fitted(picture: Shown) -> Shown:
    scale = TILE / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC))


def _heated(picture: Shown, judged: Judged, scale: tuple[float, float]) -> Shown:
    low, high = scale
    odds = log_odds(resize_map(judged.anomaly_map, picture.shape[1], picture.shape[0]))
    heat = cv2.applyColorMap((np.clip((odds - low) / (high - low), 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
    return np.asarray(0.35 * grey + 0.65 * heat).astype(np.uint8)


def _outlined(picture: Shown, mask: Mask | None) -> Shown:
    """Around the true defect, not over it; the picture as it is where nobody drew one."""
    if mask is None:
        return picture
    height, width = picture.shape[:2]
    small = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0
    around = cv2.dilate(small.astype(np.uint8), np.ones((5, 5), np.uint8)) - cv2.dilate(small.astype(np.uint8), np.ones((3, 3), np.uint8))
    shown = picture.copy()
    shown[around > 0] = OUTLINE
    return shown
