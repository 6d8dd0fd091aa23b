"""`loupe bench retraining`: what frames feel of a line's model being taught anew on the same machine."""

from typing import Annotated

import typer

from services.cli.common import Json, fail, load_settings, print_json


def retraining(
    seconds: Annotated[float, typer.Option(min=5, max=3600, help="So long the stream is measured alone, and at most so long beside the training.")] = 60.0,
    load: Annotated[float, typer.Option(min=0.1, max=0.95, help="Share of what one Inspector replica manages alone that streams.")] = 0.5,
    as_json: Json = False,
) -> None:
    """Latency and waiting frames of a stream, alone and while its model is taught by the trainer. Starts what does not run, and ends it."""
    from infra.embedded.running import PartFailedError
    from models.registry import RegistryError
    from services.bus.errors import BusError
    from services.cli.measuring.beside import measure
    from services.cli.measuring.pipeline import StalledError
    from services.cli.measuring.senders import SenderError
    from services.contract.logs import configure_logging
    from services.contract.settings import SettingsError
    from services.inspection.errors import InspectionError
    from services.records.errors import RecordsError
    from training.loop import TrainingError

    configure_logging("bench")
    refused = (BusError, InspectionError, RecordsError, RegistryError, SettingsError)
    try:
        report = measure(load_settings(), share=load, seconds=seconds).to_dict()
    except (*refused, PartFailedError, SenderError, StalledError, TrainingError, OSError) as error:
        fail(error)
    if as_json:
        print_json(report)
    else:
        for name, value in report.items():
            typer.echo(f"{name:<24} {value}")
