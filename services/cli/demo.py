"""`loupe demo --data DIR`: a folder of real, labelled pictures streamed as a line through the running stack, and how well it was judged."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.cli.common import fail, print_json

SHIPPED = "demo"


def demo(
    data: Annotated[Path, typer.Option(help="Folder in MVTec layout: test/good and test/<defect>; train/good where thresholds must be set.")],
    model: Annotated[str, typer.Option(help="Version folder, id, or name of a shipped model. The default has never seen your parts.")] = SHIPPED,
    seconds: Annotated[float, typer.Option(min=1, help="How long to send; what was sent by then is waited for.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Order of the pictures.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable, on standard output alone.")] = False,
) -> None:
    """Stream the test split of a folder as a line, each picture once while time lasts. Starts a stack if none runs, and ends it."""
    from services.cli.streaming.show import EXPECTED, show

    try:
        report = show(data, model, seconds=seconds, seed=seed, say=partial(typer.echo, err=True))
    except EXPECTED as error:
        fail(error)
    if as_json:
        print_json(report)
    else:
        for name, value in report.items():
            typer.echo(f"{name:<18} {value}")
