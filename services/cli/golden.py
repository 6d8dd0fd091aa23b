"""`loupe golden`: the parts that every later model of a line must decide as people did, over the REST of a running stack."""

from datetime import datetime
from typing import Annotated, Any

import typer

from services.cli.common import Json, load_settings, print_json, rest

Frame = Annotated[str, typer.Argument(help="line/camera/session/sequence")]
Why = Annotated[str, typer.Option("--reason", help="Why, for the history.")]

app = typer.Typer(help="Parts that every later model of a line must decide as people did.", no_args_is_help=True)


@app.command("list")
def list_golden(line: Annotated[str, typer.Argument()], as_json: Json = False) -> None:
    """Show a line's golden set."""
    found = rest(load_settings(), "GET", f"/review/lines/{line}/golden")
    if as_json:
        return print_json(found)
    _print_table(found)


@app.command()
def add(frame: Frame, reason: Why, as_json: Json = False) -> None:
    """Put an answered frame into its line's golden set; from the next dataset version on it teaches no more."""
    added = rest(load_settings(), "PUT", f"/review/frames/{frame}/golden", json={"reason": reason})
    if as_json:
        print_json(added)
    else:
        typer.echo(f"{frame}: golden, by {added['by']}")


@app.command()
def remove(frame: Frame, reason: Why) -> None:
    """Take a frame out of its line's golden set."""
    rest(load_settings(), "DELETE", f"/review/frames/{frame}/golden", params={"reason": reason})
    typer.echo(f"{frame}: no longer golden")


def _print_table(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("frame", "since", "by", "why", box=None, pad_edge=False)
    for one in found:
        table.add_row(one["frame_id"], f"{datetime.fromisoformat(one['at']):%Y-%m-%d %H:%M}", one["by"], one["reason"])
    Console().print(table if found else "no golden parts yet; `loupe golden add` puts one there", markup=False)
