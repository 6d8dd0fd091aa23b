"""What was measured of a line -> two PNG files: its curves, and a sheet of its worst errors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.evaluation import LineMeasurement
from training.page import new_page
from training.report_curves import curves
from training.report_errors import errors
from training.worst import WorstErrors

DOTS_PER_INCH = 110


def check_drawable() -> None:
    """PlotError without what draws: to be known before an hour of judging, not after."""
    new_page(1, 1)


def draw_report(
    folder: Path, line: str, measured: LineMeasurement, worst: WorstErrors, report: Mapping[str, Any], *, review: float | None = None
) -> list[Path]:
    """`report` is the line's part of the evaluation's. PlotError without what draws."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"curves": curves(line, measured, report, review=review), "errors": errors(line, measured, worst)}
    paths = {name: folder / f"{line}-{name}.png" for name in pages}
    for name, page in pages.items():
        page.savefig(paths[name], dpi=DOTS_PER_INCH)
    return list(paths.values())
