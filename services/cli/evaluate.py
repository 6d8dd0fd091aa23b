"""`loupe evaluate`: how well a model version finds defects, on frames it has never seen, through the path that serves them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.common import fail, print_json
from services.cli.models import Threads, jpeg, named_errors, resolve_model, slug
from services.ingest.synthetic import KINDS

if TYPE_CHECKING:
    from models.engine import Engine
    from models.preprocessing import Pixels
    from models.registry import ModelVersion
    from training.baseline import BaselineMeasurement, MedianBaseline
    from training.evaluation import Judged
    from training.labelled import Sample

EVALUATION_SEED = 30_011
"""Parts that neither trained nor calibrated."""
MEDIAN_FRAMES = 40
"""Good frames behind the baseline's median; not among those that are judged."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Labelled frames, and per line some good ones that the baseline may look at."""

    samples: Iterable["Sample"]
    good: Mapping[str, Iterable[bytes]]
    origin: dict[str, Any]


def evaluate(
    model: Annotated[str, typer.Option(help="Version folder, id, or name of a shipped model.")] = "demo",
    synthetic: Annotated[int | None, typer.Option(min=8, help="So many fresh frames of the synthetic lines, half of them defective.")] = None,
    data: Annotated[Path | None, typer.Option(help="MVTec layout: the test pictures of one product, or of several side by side.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic frames.")] = EVALUATION_SEED,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable, on standard output alone")] = False,
    threads: Threads = None,
) -> None:
    """Image AUROC and pixel AP by line, beside what a plain difference to the median good frame reaches."""
    if (data is None) == (synthetic is None):
        fail("evaluate: expected either --synthetic or --data", 2)
    version = resolve_model(model)
    with named_errors():
        trial = _synthetic_trial(synthetic, seed) if synthetic else _labelled_trial(data or Path())
        report = run(version, trial, threads=threads)
    print_json(report) if as_json else _print_table(report)


def run(version: "ModelVersion", trial: Trial, *, threads: int | None = None) -> dict[str, Any]:
    from models.engine import Engine
    from training.baseline import BaselineMeasurement
    from training.evaluation import evaluate as measure

    engine, baseline = Engine.load(version.path, threads=threads), BaselineMeasurement()
    review = {line: one["review"] for line in trial.good if (one := version.suggested_calibration(slug(line))) is not None}
    report = measure(_judged(engine, trial, baseline), review=review)
    return {**report, **baseline.report(), **trial.origin, "model": version.name, "model_version": version.id}


def _judged(engine: "Engine", trial: Trial, measurement: "BaselineMeasurement") -> Iterator["Judged"]:
    from training.served import judge

    baselines: dict[str, MedianBaseline] = {}
    for judged, picture in judge(engine, trial.samples):
        if judged.line not in baselines:
            typer.echo(f"{judged.line} ...", err=True)
            baselines[judged.line] = _baseline(engine, trial.good[judged.line])
        measurement.add(judged.line, judged.kind, baselines[judged.line].difference(picture.pixels))
        yield judged


def _baseline(engine: "Engine", good: Iterable[bytes]) -> "MedianBaseline":
    from training.baseline import MedianBaseline

    pixels: list[Pixels] = [engine.preprocessing.decode(image).pixels for image in good]
    return MedianBaseline(pixels, window=engine.filter_side)


def _synthetic_trial(count: int, seed: int) -> Trial:
    good = {kind: _good_images(kind, seed) for kind in KINDS}
    return Trial(_synthetic_samples(max(1, count // (2 * len(KINDS))), seed), good, {"seed": seed, "synthetic": count})


def _synthetic_samples(pairs: int, seed: int) -> Iterator["Sample"]:
    """Good and defective by turns; kinds of defect as the line draws them."""
    from services.ingest.synthetic.line import SyntheticLine
    from training.labelled import Sample

    for kind in KINDS:
        line = SyntheticLine(kind, seed)
        for index in range(pairs):
            for part in (line.good(2 * index), line.defective(2 * index + 1)):
                yield Sample(kind, part.kind, jpeg(part.image), part.mask > 127, f"{part.kind}-{index}")


def _good_images(kind: str, seed: int) -> Iterator[bytes]:
    from services.ingest.synthetic.parts import GoodParts

    parts = GoodParts(kind, seed + 1)
    for index in range(MEDIAN_FRAMES):
        yield jpeg(parts.good(index).image)


def _labelled_trial(folder: Path) -> Trial:
    from training.labelled import labelled_samples

    folder = folder.resolve()
    products = [folder] if (folder / "test").is_dir() else sorted(path.parent for path in folder.glob("*/test"))
    good = {product.name: _spread_good(product) for product in products}
    return Trial(labelled_samples(folder), good, {"data": folder.name})


def _spread_good(product: Path) -> Iterator[bytes]:
    """Good pictures drawn evenly from the training set."""
    from training.data import find_good

    paths = find_good(product)
    return (path.read_bytes() for path in paths[:: max(1, len(paths) // MEDIAN_FRAMES)])


def _print_table(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{report['model']} on {report['frames']} frames")
    for column in ("line", "image AUROC", "pixel AP", "coarse", "median baseline", "good passed", "defects flagged"):
        table.add_column(column)
    for line, found in report["lines"].items():
        cells = (found["image_auroc"], found["pixel_ap"], found["pixel_ap_coarse"], report["baseline_lines"][line])
        table.add_row(line, *map(_three, cells), _three(found.get("passed_good")), _three(found.get("flagged_defective")))
    totals = (report["image_auroc"], report["pixel_ap"], report["pixel_ap_coarse"], report["baseline_image_auroc"])
    table.add_row("mean", *map(_three, totals), "", "", style="bold")
    Console().print(table)


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
