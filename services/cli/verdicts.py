"""`loupe verdicts`: what people said of flagged frames, over the REST of a running stack; and saying it from a script."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from services.cli.common import Json, fail, load_settings, print_json, rest

if TYPE_CHECKING:
    from services.contract.settings import Settings

PAGE = 1000
COLUMNS = ("given", "frame", "answer", "class", "mask", "by", "")

app = typer.Typer(help="What people said of flagged frames.", no_args_is_help=True)

Line = Annotated[str | None, typer.Option(help="Of this line only.")]
GivenBy = Annotated[str | None, typer.Option("--by", help="Of this user, or token:NAME, only.")]


@app.command("list")
def list_verdicts(
    line: Line = None, given_by: GivenBy = None, count: Annotated[int, typer.Option(min=1, help="The latest so many.")] = 20, as_json: Json = False
) -> None:
    """Show the latest verdicts, oldest first."""
    from collections import deque

    latest = list(deque(_verdicts(load_settings(), line, given_by), maxlen=count))
    if as_json:
        return print_json(latest)
    _print_table(latest)


@app.command()
def export(
    line: Line = None,
    given_by: GivenBy = None,
    current: Annotated[bool, typer.Option(help="Only what counts now; else superseded and withdrawn ones too.")] = False,
    out: Annotated[Path | None, typer.Option(help="A file; none: standard output.")] = None,
) -> None:
    """Write verdicts as JSON lines, in the order in which they were given. Frames that the caller has yet to answer blind are left out."""
    found = _verdicts(load_settings(), line, given_by)
    lines = (json.dumps(one["verdict"]) for one in found if not current or (one["current"] and one["verdict"]["answer"] != "withdrawn"))
    if out is None:
        for text in lines:
            typer.echo(text)
        return
    with out.open("w") as file:
        file.writelines(f"{text}\n" for text in lines)


@app.command()
def give(
    frame: Annotated[str, typer.Argument(help="line/camera/session/sequence")],
    answer: Annotated[Literal["defect", "good"], typer.Argument()],
    defect_class: Annotated[str | None, typer.Option("--class", help="One of the line's.")] = None,
    mask: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="PNG of the frame's own pixels: white is defective.")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Take the anomaly map from here on as the mask.")] = None,
    supersede: Annotated[bool, typer.Option("--supersede", help="Correct the answer that counts now.")] = False,
    as_json: Json = False,
) -> None:
    """Say what a flagged frame is; what somebody else is working on, or has answered, is refused."""
    settings = load_settings()
    item = rest(settings, "GET", f"/review/frames/{frame}")
    if item["verdict"] and not supersede:
        fail(f"{frame}: {item['verdict']['given_by']} answered {item['verdict']['answer']}; --supersede corrects that")
    fields = {
        "answer": answer,
        "defect_class": defect_class,
        "threshold": threshold,
        "blind": str(item["blind"]).lower(),
        "supersedes": item["verdict"]["verdict_id"] if item["verdict"] else None,
    }
    sent = {name: str(value) for name, value in fields.items() if value is not None}
    files = {"mask": ("mask.png", mask.read_bytes(), "image/png")} if mask else None
    given = rest(settings, "POST", f"/review/frames/{frame}/verdict", data=sent, files=files)
    if as_json:
        print_json(given)
    else:
        typer.echo(f"{frame}: {given['answer']}{', blind' if given.get('blind') else ''}, as {given['given_by']}")


def _verdicts(settings: "Settings", line: str | None, given_by: str | None) -> Iterator[dict[str, Any]]:
    asked = {name: value for name, value in (("line", line), ("given_by", given_by)) if value is not None}
    after = 0
    while page := rest(settings, "GET", "/review/verdicts", params={**asked, "after": after, "limit": PAGE}):
        yield from page
        after = page[-1]["id"]


def _print_table(given: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(*(Column(name, overflow="fold") for name in COLUMNS), box=None, pad_edge=False)
    for one in given:
        said = one["verdict"]
        notes = [name for name in ("blind", "second") if said.get(name)] + ([] if one["current"] else ["superseded"])
        moment = f"{datetime.fromisoformat(said['given_at']):%Y-%m-%d %H:%M:%S}"
        cells = (moment, said["frame_id"], said["answer"], said.get("defect_class"), said.get("mask_source"), said["given_by"], ", ".join(notes))
        table.add_row(*(cell or "-" for cell in cells[:-1]), cells[-1])
    Console().print(table if given else "no verdicts yet", markup=False)
