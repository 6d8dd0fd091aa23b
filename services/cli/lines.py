"""`loupe line list|add|pause|resume|product|set|collect|train|start`: the lines of a running stack, over its REST interface."""

import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from services.cli.common import Json, fail, load_settings, print_json, rest
from services.cli.first_model import collect, start, train
from services.contract.names import InvalidIdError, checked_id

COLUMNS = ("line", "state", "product", "model", "camera", "source", "sent", "dropped")

app = typer.Typer(help="Lines and their cameras.", no_args_is_help=True)
for verb in (collect, train, start):
    app.command()(verb)

LineId = Annotated[str, typer.Argument(help="Id of the line: a-z, 0-9 and '-'.")]


@app.command("list")
def list_lines(as_json: Json = False) -> None:
    """Show all lines: what judges them, and how their cameras are."""
    answer = rest(load_settings(), "GET", "/lines")
    if as_json:
        return print_json(answer)
    _print_table(answer)


@app.command()
def add(
    line: LineId,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            help="ID=SOURCE, again for more. SOURCE is folder:PATH?fps=5&order=shuffled&seed=1, video:PATH, synthetic:KIND?fps=2&defects=0.1 or push:."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    product: Annotated[str | None, typer.Option(help="What it makes just now.")] = None,
    model: Annotated[str | None, typer.Option(help="Folder, name or id of a model version; none: frames are recorded, not judged.")] = None,
    when_full: Annotated[Literal["wait", "drop"], typer.Option(help="What sources do while Kafka is slow.")] = "wait",
    push: Annotated[bool, typer.Option(help="Let cameras push frames over HTTP; prints the token once.")] = False,
    as_json: Json = False,
) -> None:
    """Add a line and its cameras to the running stack."""
    token = secrets.token_urlsafe(24) if push else None
    cameras = [_camera(text) for text in camera or ()]
    wanted = {"id": _checked(line), "name": name, "product": product, "model": _stored(model), "when_full": when_full, "cameras": cameras, "push_token": token}
    answer = rest(load_settings(), "POST", "/lines", json={key: value for key, value in wanted.items() if value is not None})
    if as_json:
        return print_json({**answer, "push_token": token})
    typer.echo(f"{line}: added with {len(cameras)} camera{'' if len(cameras) == 1 else 's'}")
    if token:
        typer.echo(f"push token, kept only as a hash and shown only now: {token}")


@app.command()
def pause(line: LineId, as_json: Json = False) -> None:
    """Stop judging a line: its cameras go on, and their frames are recorded without a decision."""
    _switch(line, "pause", "paused: frames are recorded, not judged", as_json)


@app.command()
def resume(line: LineId, as_json: Json = False) -> None:
    """Judge a paused line again."""
    _switch(line, "resume", "judged again", as_json)


@app.command("product")
def change_product(
    line: LineId,
    product: Annotated[str | None, typer.Argument(help="What the line makes from now on, as its frames name it.")] = None,
    none: Annotated[bool, typer.Option("--none", help="The line no longer says what it makes.")] = False,
    model: Annotated[str | None, typer.Option(help="Judge this product by a model version of its own: name or id.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the history; with --model.")] = "changeover",
    as_json: Json = False,
) -> None:
    """Change a line over to another product: model and calibration change with it, frame by frame."""
    if (product is None) != none or (none and model is not None):
        fail("expected a product, or --none alone", 2)
    settings, path = load_settings(), f"/lines/{_checked(line)}"
    if model is not None:
        judged = {"product": product, "model": _stored(model), "reason": reason}
        rest(settings, "POST", f"{path}/products", within_s=settings.inspector.standby_s + 30, json=judged)
    _changed(line, rest(settings, "PATCH", path, json={"product": product}), as_json)


@app.command("set")
def change_settings(
    line: LineId,
    blind_check_rate: Annotated[float | None, typer.Option(min=0, max=1, help="Share of passed frames drawn for blind checks.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Blind checks as inspection.blind_check_rate says.")] = False,
    automatic: Annotated[bool | None, typer.Option("--promote-automatically/--promote-by-hand", help="Candidates that the gate passed.")] = None,
    as_json: Json = False,
) -> None:
    """Change how often passed frames of a line are drawn for blind checks, and whether what the gate passed judges it without a click."""
    drawn = blind_check_rate is not None or default
    if (blind_check_rate is not None and default) or not (drawn or automatic is not None):
        fail("expected --blind-check-rate RATE or --default, or --promote-automatically or --promote-by-hand", 2)
    wanted = {**({"blind_check_rate": blind_check_rate} if drawn else {}), **({"promote_automatically": automatic} if automatic is not None else {})}
    _changed(line, rest(load_settings(), "PATCH", f"/lines/{_checked(line)}", json=wanted), as_json)


def _changed(line: str, answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return print_json(answer)
    rate = answer.get("blind_check_rate")
    drawn = "as the settings say" if rate is None else f"{100 * rate:g} % of passed frames"
    promoted = "by itself" if answer.get("promote_automatically") else "by a click"
    typer.echo(f"{line}: product {answer.get('product') or 'not said'}; blind checks: {drawn}; what the gate passed is promoted {promoted}")


def _switch(line: str, verb: str, said: str, as_json: bool) -> None:
    answer = rest(load_settings(), "POST", f"/lines/{_checked(line)}/{verb}")
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"{line}: {said}")


def _stored(model: str | None) -> str | None:
    """A version folder goes into the registry that replicas load from; what is no folder is a name or an id already."""
    from pathlib import Path

    from models.registry import VERSION, Registry, RegistryError

    if model is None or not (Path(model) / VERSION).is_file():
        return model
    try:
        return Registry(load_settings().models_path).add(model).id
    except RegistryError as error:
        fail(error)


def _checked(line: str) -> str:
    try:
        return checked_id(line, "line")
    except InvalidIdError as error:
        fail(error, 2)


def _camera(text: str) -> dict[str, str]:
    from services.ingest.address import parse_source
    from services.ingest.errors import SourceAddressError

    camera, equals, source = text.partition("=")
    try:
        if not equals:
            raise SourceAddressError(f"--camera: expected ID=SOURCE, got {text!r}")
        parse_source(source)
        return {"id": checked_id(camera, "camera"), "source": source}
    except (SourceAddressError, InvalidIdError) as error:
        fail(error, 2)


def _print_table(lines: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table(*(Column(name, overflow="fold") for name in COLUMNS), box=None, pad_edge=False)
    for line in lines:
        own = (escape(line["id"]), _state(line), escape(line.get("product") or "-"), (line.get("model_version") or "-")[:12])
        for at, camera in enumerate(line.get("cameras") or [{}]):
            seen = (camera.get("id", "-"), camera.get("source") or "-", str(camera.get("sent", 0)), str(camera.get("dropped", 0)))
            table.add_row(*(own if at == 0 else ("",) * 4), *map(escape, seen))
            if camera.get("error"):
                table.add_row("", "", "", "", "", f"[yellow]{escape(camera['error'])}[/]")
    Console().print(table if lines else "no lines yet: add one with `loupe line add`")


def _state(line: dict[str, Any]) -> str:
    colour = {"live": "green", "recording": "cyan", "paused": "yellow"}.get(line["state"], "red")
    return f"[{colour}]{line['state']}[/]"
