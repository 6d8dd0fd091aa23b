"""`loupe scale`: between how many replicas the Inspector deployment moves, changed while it runs and kept for the next start."""

import json
from typing import Annotated

import typer

from services.cli.common import load_settings
from services.cli.users import people_here


def scale(
    least: Annotated[int, typer.Option("--min", min=0, help="replicas that stay even while nothing streams")],
    most: Annotated[int, typer.Option("--max", min=1, help="replicas that a backlog may bring up")],
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable, on standard output alone")] = False,
) -> None:
    """Change the limits of the running Inspector deployment; no frame is lost, and they last."""
    from services.contract.settings import SettingsError
    from services.inspection.deploy import set_limits
    from services.inspection.errors import InspectionError
    from services.inspection.schema import Limits
    from services.records.errors import RecordsError

    try:
        with people_here() as (_, us):
            applied = set_limits(load_settings(), Limits(least, most), by=us)
    except (ValueError, SettingsError, InspectionError, RecordsError) as error:
        typer.echo(f"loupe scale: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"min_replicas": least, "max_replicas": most, "applied": applied}))
    else:
        typer.echo(f"Inspector: {least} to {most} replicas" + ("" if applied else " (stored; nothing runs now)"))
