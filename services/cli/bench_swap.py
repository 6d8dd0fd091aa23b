"""`loupe bench swap`: promotions back and forth while frames stream, and what frames feel of them."""

from typing import Annotated

import typer

from services.cli.common import Json, fail, load_settings, print_json


def swap(
    promotions: Annotated[
        int, typer.Option(min=3, max=1000, help="Promotions, each of a version that no replica has loaded; two broken ones come on top.")
    ] = 20,
    load: Annotated[float, typer.Option(min=0.1, max=0.95, help="Share of what the replicas manage that streams meanwhile.")] = 0.6,
    replicas: Annotated[int, typer.Option(min=1, help="Inspector replicas.")] = 1,
    as_json: Json = False,
) -> None:
    """Promote by the real way again and again under load: frames lost, doubled or stamped wrongly, and added latency. Starts what does not run, and ends it."""
    from infra.embedded.running import PartFailedError
    from models.registry import RegistryError
    from services.bus.errors import BusError
    from services.cli.measuring.pipeline import StalledError
    from services.cli.measuring.senders import SenderError
    from services.cli.measuring.swap import measure
    from services.contract.logs import configure_logging
    from services.contract.settings import SettingsError
    from services.dashboard.errors import DashboardError
    from services.inspection.errors import InspectionError
    from services.records.errors import RecordsError
    from services.results.connection import ResultsError

    configure_logging("bench")
    refused = (BusError, DashboardError, InspectionError, RecordsError, RegistryError, ResultsError, SettingsError)
    try:
        report = measure(load_settings(), promotions=promotions, share=load, replicas=replicas).to_dict()
    except (*refused, PartFailedError, SenderError, StalledError, OSError) as error:
        fail(error)
    if as_json:
        print_json(report)
    else:
        for name, value in report.items():
            typer.echo(f"{name:<24} {value}")
