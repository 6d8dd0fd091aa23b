"""`loupe bench ...`: each as a figure beside what it is measured against, in the same run."""

from typing import Annotated, Literal

import typer

from services.cli.bench_accuracy import accuracy
from services.cli.bench_learning import learning
from services.cli.bench_model import model
from services.cli.bench_retraining import retraining
from services.cli.bench_supervised import supervised
from services.cli.bench_swap import swap
from services.cli.common import fail, load_settings, print_json

app = typer.Typer(name="bench", help="Measure what this machine does.", no_args_is_help=True)
app.command()(model)
app.command()(accuracy)
app.command()(supervised)
app.command()(learning)
app.command()(swap)
app.command()(retraining)


@app.command()
def pipeline(
    frames: Annotated[int, typer.Option(min=2, help="Frames to send.")] = 2000,
    size_kb: Annotated[int, typer.Option("--size-kb", min=2, max=15_000, help="Size of each, in 1000 bytes.")] = 100,
    detector: Annotated[Literal["null", "decode"], typer.Option(help="null answers at once, decode decodes first: neither has a network.")] = "null",
    replicas: Annotated[int, typer.Option(min=1, help="Inspector replicas.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable, on standard output alone.")] = False,
) -> None:
    """Frames through the real Kafka, Serve application, recorder and Redis, beside bare kafka-python. Starts what does not run, and ends it."""
    from infra.embedded.running import PartFailedError
    from services.bus.errors import BusError
    from services.cli.measuring.pipeline import StalledError, measure
    from services.cli.measuring.senders import SenderError
    from services.contract.logs import configure_logging
    from services.contract.settings import SettingsError
    from services.inspection.errors import InspectionError
    from services.records.errors import RecordsError
    from services.results.connection import ResultsError

    configure_logging("bench")
    expected = (BusError, InspectionError, PartFailedError, RecordsError, ResultsError, SenderError, SettingsError, StalledError, OSError)
    try:
        report = measure(load_settings(), frames=frames, size_kb=size_kb, detector=detector, replicas=replicas).to_dict()
    except expected as error:
        fail(error)
    if as_json:
        print_json(report)
    else:
        for name, value in report.items():
            typer.echo(f"{name:<24} {value}")
