"""`loupe evaluate`: how well a model version finds defects, on frames it has never seen, through the path that serves them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.common import fail, print_json
from services.cli.models import Threads, named_errors, resolve_model, slug

if TYPE_CHECKING:
    from models.engine import Engine
    from models.preprocessing import Pixels
    from models.registry import ModelVersion
    from services.cli.measuring.trials import Trial
    from training.baseline import BaselineMeasurement, MedianBaseline
    from training.evaluation import Judged, LineMeasurement
    from training.worst import WorstErrors

EVALUATION_SEED = 30_011
"""Parts that neither trained nor calibrated."""


def evaluate(
    model: Annotated[str, typer.Option(help="Version folder, id, or name of a shipped model.")] = "demo",
    synthetic: Annotated[int | None, typer.Option(min=8, help="So many fresh frames of the synthetic lines, half of them defective.")] = None,
    data: Annotated[Path | None, typer.Option(help="MVTec layout: the test pictures of one product, or of several side by side.")] = None,
    groups: Annotated[Path | None, typer.Option(help="File of groups, one a line: of --data, only their pictures, and some of each.")] = None,
    except_groups: Annotated[Path | None, typer.Option(help="File of groups: of --data, all pictures but theirs.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for curves and worst errors of each line, as PNG; needs the extra `report`.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic frames.")] = EVALUATION_SEED,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable, on standard output alone")] = False,
    threads: Threads = None,
) -> None:
    """Image AUROC and AP, pixel AP and AUPRO by line and kind of defect, with 95 % intervals over groups."""
    if (data is None) == (synthetic is None):
        fail("evaluate: expected either --synthetic or --data", 2)
    if data is None and (groups or except_groups):
        fail("--groups, --except-groups: expected --data beside them", 2)
    version = resolve_model(model)
    with named_errors():
        from services.cli.measuring.trials import labelled_trial, synthetic_trial

        trial = labelled_trial(data, groups=groups, except_groups=except_groups) if data else synthetic_trial(synthetic or 0, seed)
        found = run(version, trial, threads=threads, pictures=report)
    print_json(found) if as_json else _print_table(found)


def run(version: "ModelVersion", trial: "Trial", *, threads: int | None = None, pictures: Path | None = None) -> dict[str, Any]:
    """`pictures` is a folder to draw in."""
    from models.engine import Engine
    from training.baseline import BaselineMeasurement
    from training.evaluation import measure, report_of
    from training.report import check_drawable
    from training.worst import noted

    if pictures is not None:
        check_drawable()
    engine, baseline = Engine.load(version.path, threads=threads), BaselineMeasurement()
    review = {line: one["review"] for line in trial.good if (one := version.suggested_calibration(slug(line))) is not None}
    worst: dict[str, WorstErrors] = {}
    lines = measure(noted(_judged(engine, trial, baseline), worst))
    report = report_of(lines, review=review)
    if pictures is not None:
        _draw(pictures, lines, worst, report, review)
    return {**report, **baseline.report(), **trial.origin, "model": version.name, "model_version": version.id}


def _judged(engine: "Engine", trial: "Trial", measurement: "BaselineMeasurement") -> Iterator["Judged"]:
    from training.served import judge

    baselines: dict[str, MedianBaseline | None] = {}
    for judged, picture in judge(engine, trial.samples):
        if judged.line not in baselines:
            typer.echo(f"{judged.line} ...", err=True)
            baselines[judged.line] = _baseline(engine, trial.good[judged.line])
        baseline = baselines[judged.line]
        if baseline is not None:
            measurement.add(judged.line, judged.kind, baseline.difference(picture.pixels))
        yield judged


def _baseline(engine: "Engine", good: Iterable[bytes]) -> "MedianBaseline | None":
    """None where the folder has no good pictures beside those to be judged."""
    from training.baseline import MedianBaseline

    pixels: list[Pixels] = [engine.preprocessing.decode(image).pixels for image in good]
    return MedianBaseline(pixels, window=engine.filter_side) if pixels else None


def _draw(
    folder: Path, lines: Mapping[str, "LineMeasurement"], worst: Mapping[str, "WorstErrors"], report: Mapping[str, Any], review: Mapping[str, float]
) -> None:
    from training.report import draw_report

    for line, measured in lines.items():
        for path in draw_report(folder, line, measured, worst[line], report["lines"][line], review=review.get(line)):
            typer.echo(f"{path}", err=True)


def _print_table(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{report['model']} on {report['frames']} frames, with 95 % intervals over groups", caption="coarse: pixel AP of the coarse map")
    for column in ("line", "image AUROC", "image AP", "pixel AP", "AUPRO", "coarse", "median baseline", "good passed", "defects flagged"):
        table.add_column(column)
    for line, found in report["lines"].items():
        others = (found["pixel_ap_coarse"], report["baseline_lines"].get(line), found.get("passed_good"), found.get("flagged_defective"))
        table.add_row(line, *_measures(found), *map(_three, others))
        for kind, of_kind in found["kinds"].items() if len(found["kinds"]) > 1 else ():
            table.add_row(f"  {kind}", *_measures(of_kind), style="dim")
    if len(report["lines"]) > 1:
        totals = (report["pixel_ap_coarse"], report["baseline_image_auroc"])
        table.add_row("mean", *_measures(report), *map(_three, totals), style="bold")
    Console().print(table)


def _measures(found: Mapping[str, Any]) -> list[str]:
    from training.evaluation import MEASURES

    return [_three(found[name]) + _bounds(found["intervals"][name]) for name in MEASURES]


def _bounds(interval: list[float] | None) -> str:
    return "" if interval is None else f"\n{interval[0]:.3f}-{interval[1]:.3f}"


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
