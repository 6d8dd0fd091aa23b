"""What was measured of a line -> one page: how scores, frames and pixels part good from defective."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from training.curves import FALSE_POSITIVE_LIMIT, PixelCurve, log_odds, rates
from training.evaluation import GOOD, LineMeasurement
from training.page import new_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GOOD_COLOUR, DEFECT_COLOUR = "#4477aa", "#cc3311"
KIND_COLOURS = ("#009988", "#ee7733", "#aa3377", "#999933", "#33bbee", "#666666")
"""Paul Tol's, told apart by the colour-blind."""


def curves(line: str, measured: LineMeasurement, report: Mapping[str, Any], *, review: float | None = None) -> "Figure":
    """Frames in the upper row, pixels in the lower one; thin lines are kinds of defect. `report` is the line's part of the evaluation's."""
    page = new_page(13, 8.2)
    page.suptitle(f"{line}: {report['frames']} frames of {report['groups']} groups, {report['defective']} of them defective", fontsize=13)
    axes = page.subplots(2, 3)
    whole = measured.curve(measured.defects)
    _scores(axes[0, 0], measured, review)
    _frame_roc(axes[0, 1], measured, _titled("AUROC of frames", "image_auroc", report))
    _frame_precision(axes[0, 2], measured, _titled("AP of frames", "image_ap", report))
    _region_overlap(axes[1, 0], measured, _titled("AUPRO", "aupro", report))
    _pixel_roc(axes[1, 1], whole, f"AUROC of pixels {_figure(report['pixel_auroc'])}")
    _pixel_precision(axes[1, 2], whole, _titled("AP of pixels", "pixel_ap", report))
    return page


def _scores(axis: "Axes", measured: LineMeasurement, review: float | None) -> None:
    odds, good = log_odds(np.array(measured.scores)), np.array(measured.kinds) == GOOD
    edges = np.linspace(odds.min() - 0.1, odds.max() + 0.1, 41).tolist()
    for chosen, colour, name in ((good, GOOD_COLOUR, "good"), (~good, DEFECT_COLOUR, "defective")):
        if chosen.any():
            axis.hist(odds[chosen], edges, weights=np.full(chosen.sum(), 1 / chosen.sum()), color=colour, alpha=0.55, label=f"{name} ({chosen.sum()})")
    if review is not None:
        axis.axvline(float(log_odds(np.array(review))), color="black", linestyle="--", linewidth=1, label="review threshold")
    axis.xaxis.set_major_formatter(lambda value, _: _probability(value))
    _finish(axis, "anomaly scores of frames", "score, on an axis of log-odds", "share of the class")


def _frame_roc(axis: "Axes", measured: LineMeasurement, title: str) -> None:
    for kind, colour, width in _drawn_kinds(measured):
        defective, scores = _frames(measured, kind)
        if defective.any() and not defective.all():
            false, true, _ = roc_curve(defective, scores)
            axis.plot(false, true, color=colour, linewidth=width, label=kind or "all defects")
    axis.plot((0, 1), (0, 1), color="0.7", linewidth=0.8, linestyle=":")
    _finish(axis, title, "false-positive rate", "recall")


def _frame_precision(axis: "Axes", measured: LineMeasurement, title: str) -> None:
    defective, scores = _frames(measured, "")
    if defective.any():
        precision, found, _ = precision_recall_curve(defective, scores)
        axis.plot(found, precision, color=DEFECT_COLOUR, linewidth=1.8)
        _chance(axis, float(defective.mean()))
    _finish(axis, title, "recall", "precision", square=True)


def _region_overlap(axis: "Axes", measured: LineMeasurement, title: str) -> None:
    for kind, colour, width in _drawn_kinds(measured):
        curve = measured.curve([kind] if kind else measured.defects)
        if curve.defective.any() and curve.normal.any():
            axis.plot(rates(curve.normal[::-1]), rates(curve.overlap[::-1]), color=colour, linewidth=width, label=kind or "all defects")
    _finish(axis, title, "false-positive rate", "overlap with true regions, mean")
    axis.set(xlim=(0, FALSE_POSITIVE_LIMIT), ylim=(0, 1.02))


def _pixel_roc(axis: "Axes", curve: PixelCurve, title: str) -> None:
    if curve.defective.any() and curve.normal.any():
        axis.plot(rates(curve.normal[::-1]), rates(curve.defective[::-1]), color=DEFECT_COLOUR, linewidth=1.8)
        axis.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.02))
    _finish(axis, title, "false-positive rate", "recall")


def _pixel_precision(axis: "Axes", curve: PixelCurve, title: str) -> None:
    true, false = np.cumsum(curve.defective[::-1]), np.cumsum(curve.normal[::-1])
    called = true + false > 0
    if true[-1]:
        axis.plot(true[called] / true[-1], true[called] / (true + false)[called], color=DEFECT_COLOUR, linewidth=1.8)
        _chance(axis, float(true[-1] / (true[-1] + false[-1])))
    _finish(axis, title, "recall", "precision", square=True)


def _chance(axis: "Axes", share: float) -> None:
    axis.axhline(share, color="0.6", linewidth=0.8, linestyle=":", label=f"chance {share:.3f}")


def _finish(axis: "Axes", title: str, x: str, y: str, *, square: bool = False) -> None:
    axis.set_title(title, fontsize=11)
    axis.set_xlabel(x, fontsize=9)
    axis.set_ylabel(y, fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(color="0.92")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    if square:
        axis.set(xlim=(0, 1.02), ylim=(0, 1.02))
    if axis.get_legend_handles_labels()[1]:
        axis.legend(fontsize=8, frameon=False)


def _drawn_kinds(measured: LineMeasurement) -> list[tuple[str, str, float]]:
    """Name, colour and width: each kind of defect where there are several, and above them all together, named ""."""
    kinds = measured.defects if len(measured.defects) > 1 else []
    return [*((kind, KIND_COLOURS[number % len(KIND_COLOURS)], 0.9) for number, kind in enumerate(kinds)), ("", DEFECT_COLOUR, 1.8)]


def _frames(measured: LineMeasurement, kind: str) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether defective, and the score, of the good frames and one kind of defective ones, or all."""
    kinds = np.array(measured.kinds)
    chosen = np.isin(kinds, [GOOD, kind or GOOD]) if kind else np.ones(len(kinds), bool)
    return kinds[chosen] != GOOD, np.array(measured.scores)[chosen]


def _titled(name: str, measure: str, report: Mapping[str, Any]) -> str:
    bounds: Sequence[float] | None = report["intervals"][measure]
    return f"{name} {_figure(report[measure])}" + (f"  [{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else "")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _probability(odds: float) -> str:
    share = 1 / (1 + np.exp(-odds))
    return f"{share:.2g}" if share < 0.95 else f"1-{1 - share:.1g}"
