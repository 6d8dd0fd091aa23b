"""`loupe bench supervised`: how much real defects with masks teach a detector, against the same extra steps without."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.common import fail, print_json
from services.cli.models import Threads, named_errors, resolve_model
from services.cli.train import Budget


def supervised(
    data: Annotated[Path, typer.Option(help="MVTec folder of one product.")],
    model: Annotated[str, typer.Option(help="Detector that learns on: version folder, id, or name of a shipped one.")],
    out: Annotated[Path, typer.Option(help="Folder of results; a stopped experiment goes on there.")],
    defects: Annotated[str, typer.Option(help="Numbers of defects, by commas; 0, the control, always comes along.")] = "0,5,20,50",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each number, with other defects drawn.")] = 3,
    recipe: Annotated[str, typer.Option(help="What a run does; its side is the model's.")] = "taught",
    budget: Budget = None,
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable, on standard output alone")] = False,
) -> None:
    """Pixel and image AP on held-out groups, by the number of real defects in training: mean and spread over seeds."""
    import torch

    from services.cli.measuring.supervised import Trial, measure
    from services.contract.logs import configure_logging
    from training.recipes import changed
    from training.recipes import recipe as recipe_named

    configure_logging("bench")
    if threads is not None:
        torch.set_num_threads(threads)
    base = resolve_model(model)
    with named_errors():
        plan = changed(recipe_named(recipe), side=base.preprocessing.side, budget=budget)
        report = measure(Trial(data.resolve(), base.path, plan, out), numbers_of(defects, "--defects"), seeds)
    if as_json:
        print_json(report)
        return
    for row in (report["control"], *report["rows"]):
        typer.echo(f"{row['defects']:>4} defects  pixel AP {row['pixel_ap']:.3f}  image AP {row['image_ap']:.3f}  image AUROC {row['image_auroc']:.3f}")


def numbers_of(text: str, option: str) -> list[int]:
    """Numbers by commas."""
    numbers = [int(word) if word.isdecimal() else -1 for word in text.split(",")]
    if min(numbers) < 0:
        fail(f"{option}: expected numbers by commas, got {text!r}", 2)
    return numbers
