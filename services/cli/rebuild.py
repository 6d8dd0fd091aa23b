"""`loupe rebuild`: the live view in Redis, made anew from Kafka."""

import time
from typing import Annotated

import typer

from services.cli.common import fail, load_settings, print_json


def rebuild(as_json: Annotated[bool, typer.Option("--json", help="The count and the seconds as JSON on standard output.")] = False) -> None:
    """Empty the live view and let the running recorder fill it again from `inspections`."""
    from rich.console import Console
    from rich.progress import Progress

    from services.bus.errors import BusError
    from services.contract.settings import SettingsError
    from services.recorder.rebuild import RebuildStalledError
    from services.recorder.rebuild import rebuild as rebuild_live_view
    from services.results.connection import ResultsError

    settings, started_at = load_settings(), time.monotonic()
    try:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("inspections", total=None)
            count = rebuild_live_view(settings, lambda done, of: progress.update(task, completed=done, total=of))
    except (BusError, ResultsError, RebuildStalledError, SettingsError) as error:
        fail(error)
    seconds = round(time.monotonic() - started_at, 1)
    if as_json:
        print_json({"inspections": count, "seconds": seconds})
    else:
        Console().print(f"live view rebuilt from {count} inspections in {seconds} s")
