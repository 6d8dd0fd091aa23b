"""`loupe bench learning`: how much people's verdicts teach a line's detector, the whole way from the review desk to the gate."""

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.bench_supervised import numbers_of
from services.cli.common import fail, load_settings, print_json
from services.cli.models import Threads, named_errors, resolve_model
from services.cli.train import Budget

if TYPE_CHECKING:
    from models.registry import ModelVersion


def learning(
    data: Annotated[Path, typer.Option(help="MVTec folder of one product: its true masks are what people would draw.")],
    verdicts: Annotated[str, typer.Option(help="Numbers of verdicts, by commas; 0 is the control.")] = "0,20,50",
    model: Annotated[str | None, typer.Option(help="Detector that learns on: folder, id, or name of a shipped one; none: one is trained first.")] = None,
    steps: Annotated[int, typer.Option(min=3, help="Steps of that first training, at most those of the recipe small.")] = 1300,
    side: Annotated[int | None, typer.Option(help="Side of its input; default: the recipe's. With --model: that one's.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each number, with other defects answered.")] = 3,
    recipe: Annotated[str, typer.Option(help="What a retraining does.")] = "taught",
    budget: Budget = None,
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option(help="Folder of results; a stopped experiment goes on there. None: nothing is kept.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable, on standard output alone")] = False,
) -> None:
    """Pixel and image AP on held-out groups, by the number of verdicts: answered at the review desk, retrained by the trainer on Ray."""
    import torch

    from infra.embedded.running import PartFailedError
    from services.bus.errors import BusError
    from services.cli.measuring.learning import measure
    from services.cli.measuring.plant import opened
    from services.cli.measuring.supervised import Trial
    from services.contract.logs import configure_logging
    from services.records.errors import RecordsError
    from services.review.errors import ReviewError
    from training.loop import TrainingError
    from training.recipes import changed
    from training.recipes import recipe as recipe_named

    configure_logging("bench")
    if threads is not None:
        torch.set_num_threads(threads)
    if model is not None and side not in (None, resolve_model(model).preprocessing.side):
        fail(f"--side: expected none with --model, or the model's {resolve_model(model).preprocessing.side}, got {side}", 2)
    with named_errors(), tempfile.TemporaryDirectory(prefix="loupe-bench-") as passing:
        place = (out or Path(passing)).resolve()
        base = resolve_model(model) if model is not None else base_of(data.resolve(), place / "base", steps=steps, side=side)
        plan = changed(recipe_named(recipe), side=base.preprocessing.side, budget=budget)
        trial = Trial(data.resolve(), base.path.resolve(), plan, place)
        plant = partial(opened, load_settings(), trial, retraining={"recipe": recipe, "budget": budget}, threads=threads)
        try:
            report = {"base_steps": None if model is not None else steps, **measure(trial, numbers_of(verdicts, "--verdicts"), seeds, plant)}
        except (BusError, PartFailedError, RecordsError, ReviewError, TrainingError) as error:
            fail(error)
    if as_json:
        print_json(report)
    else:
        _show(report)


def base_of(folder: Path, out: Path, *, steps: int, side: int | None) -> "ModelVersion":
    """A detector of the good pictures alone, from the shipped codec; what was begun goes on, what is there already stays."""
    from models.checkpoint import VERSION
    from models.registry import read_version
    from training.groups import kept_from_training
    from training.recipes import changed, small
    from training.stages import train_detector

    whole = small()
    share = min(1.0, steps / (whole.objects.steps + whole.detection.steps + whole.upsampling.steps))
    lesson = changed(whole, side=side, budget=share)
    if not (out / VERSION).is_file():
        train_detector([folder], lesson, out, start=resolve_model("codec").path, codec_only=True, name=folder.name, left_out=kept_from_training)
    return read_version(out)


def _show(report: dict[str, Any]) -> None:
    base = report["base"]
    typer.echo(f"   before     pixel AP {base['pixel_ap']:.3f}  image AP {base['image_ap']:.3f}")
    for row in report["rows"]:
        told = f"pixel AP {row['pixel_ap']:.3f} (control {row['control_pixel_ap']:.3f})  image AP {row['image_ap']:.3f} (control {row['control_image_ap']:.3f})"
        typer.echo(f"{row['verdicts']:>4} verdicts  {told}{'  ' + row['note'] if 'note' in row else ''}")
