"""`loupe dataset`: a line's verdicts -> dataset versions, straight from records and files, so that no stack need run; imports and exports."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from services.cli.common import Json, fail, load_settings, print_json

if TYPE_CHECKING:
    from services.records.audit import Actor, Audit
    from training.line_datasets import LineDatasets

LISTED = ("version", "dataset", "made", "all", "train", "calibration", "held-out", "")
COUNTED = ("pictures", "groups", "good", "defect", "unreviewed", "without_mask")
SHORT = 12

app = typer.Typer(help="Immutable sets of answered pictures, split by what they show.", no_args_is_help=True)

Line = Annotated[str, typer.Argument(help="Id of the line; its dataset has the same name.")]
Version = Annotated[str, typer.Argument(help="A line for its newest version, or an id or a prefix of it (>= 6).")]


@app.command()
def build(line: Line, as_json: Json = False) -> None:
    """Make the next version of a line's dataset. Nothing new since the last one: the same version again."""
    with _line_datasets() as (datasets, audit, us):
        before = datasets.all.current(line)
        version = datasets.build(line)
        if version.id != before:
            audit.add(us, "dataset.build", line, {"version": version.id, "pictures": len(version.rows)})
    if as_json:
        return print_json({"id": version.id, "new": version.id != before, "path": str(version.path), **version.card})
    if version.id == before:
        typer.echo(f"{line}: nothing new, still")
    _show(version.id, version.card)


@app.command("list")
def list_versions(line: Annotated[str | None, typer.Argument(help="Of this line only.")] = None, as_json: Json = False) -> None:
    """Show all versions, the oldest first."""
    from training.datasets import Datasets

    with _clear_errors():
        datasets = Datasets(load_settings().datasets_path)
        newest = {datasets.current(name) for name in datasets.names()}
        found = [{"id": one.id, "newest": one.id in newest, "problem": one.problem or None, **one.card} for one in datasets.versions(line)]
    if as_json:
        return print_json(found)
    _print_list(found)


@app.command()
def show(version: Version, as_json: Json = False) -> None:
    """Show what is in a version, what was left out of it, and what it is too small for."""
    from training.datasets import Datasets

    with _clear_errors():
        found = Datasets(load_settings().datasets_path).fetch(version)
    if as_json:
        return print_json({"id": found.id, "path": str(found.path), **found.card})
    _show(found.id, found.card)
    typer.echo(f"rows: {found.path / 'manifest.jsonl'}")


@app.command("import")
def import_history(
    line: Line,
    data: Annotated[Path, typer.Option(help="Folder of one product in MVTec layout.")],
    group: Annotated[
        str | None,
        typer.Option(help="Which pictures show the same part: a CSV (image, group), or a regular expression over their places; none: the folder's groups.csv."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take labelled pictures in as verdicts of the past. Importing them again adds nothing; other labels supersede."""
    from datetime import UTC, datetime

    from training.dataset_import import import_mvtec, read_grouping

    with _line_datasets() as (datasets, audit, us):
        datasets.check_line(line)
        grouping = read_grouping(group) if group is not None else None
        found = import_mvtec(data, datasets.pictures, line=line, grouping=grouping, given_at=datetime.now(UTC))
        added = datasets.all.add_history(line, found.verdicts)
        if added:
            audit.add(us, "dataset.import", line, {"folder": str(data.absolute()), "pictures": found.pictures, "verdicts": added})
    defects = sum(verdict.answer.value == "defect" for verdict in found.verdicts)
    groups = len({verdict.part_id for verdict in found.verdicts})
    told = {"pictures": found.pictures, "same": found.same, "good": len(found.verdicts) - defects, "defect": defects, "without_mask": found.without_mask}
    if as_json:
        return print_json({"line": line, **told, "groups": groups, "added": added})
    typer.echo(f"{line}: {_counted(told)}, {groups} groups; {added} new verdicts")
    typer.echo(f"`loupe dataset build {line}` makes a version of them")


@app.command()
def export(
    version: Version,
    to: Annotated[Literal["mvtec", "coco"], typer.Option(help="Layout.")],
    out: Annotated[Path, typer.Option(help="A folder that is not there yet, or empty.")],
    as_json: Json = False,
) -> None:
    """Write a version with its pictures and masks, whole or not at all."""
    from services.results.dataset_pictures import DatasetPictures
    from training.coco_export import export_coco
    from training.datasets import Datasets
    from training.mvtec_export import export_mvtec

    settings = load_settings()
    with _clear_errors():
        found = Datasets(settings.datasets_path).fetch(version)
        done = (export_mvtec if to == "mvtec" else export_coco)(found, DatasetPictures(settings), out)
    if as_json:
        return print_json({"id": found.id, "folder": str(done.folder), "pictures": done.pictures})
    typer.echo(f"{found.name}, version {found.id[:SHORT]} -> {done.folder}: {_counted(done.pictures)}")


@contextmanager
def _line_datasets() -> Iterator[tuple["LineDatasets", "Audit", "Actor"]]:
    """Datasets with the records that they are made of, and who we are in the audit."""
    import getpass

    from services.records.audit import Actor, Audit
    from services.records.database import Database
    from services.records.migrations import migrate
    from services.records.store import Records
    from training.line_datasets import LineDatasets

    settings = load_settings()
    database, records = Database(settings.records_url), Records(settings.records_url)
    try:
        with _clear_errors():
            migrate(settings.records_url)
            yield LineDatasets.of(settings, database, records), Audit(database), Actor(f"loupe:{getpass.getuser()}", "local")
    finally:
        records.close()
        database.close()


@contextmanager
def _clear_errors() -> Iterator[None]:
    """One clear line where something cannot be done."""
    from services.contract.names import InvalidIdError
    from services.records.errors import RecordsError
    from training.data import DataError
    from training.dataset_version import DatasetError
    from training.groups import GroupsError

    try:
        yield
    except (RecordsError, InvalidIdError, DataError, DatasetError, GroupsError, OSError) as error:
        fail(error)


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in numbers.items())


def _show(version: str, card: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    parent = f", after {card['parent'][:SHORT]}" if card["parent"] else ""
    typer.echo(f"{card['name']}: version {version}, {card['pictures']} pictures, made {card['created_at'][:16].replace('T', ' ')} UTC{parent}")
    table = Table("split", *(name.replace("_", " ") for name in COUNTED), box=None, pad_edge=False)
    for split, counted in card["splits"].items():
        table.add_row(split, *(str(counted[name]) for name in COUNTED))
    Console().print(table, markup=False)
    for split, counted in card["splits"].items():
        if counted["classes"]:
            typer.echo(f"defects of {split}: {_counted(counted['classes'])}")
    for why, frames in card["left_out"].items():
        some = ", ".join(frames["some"][:3])
        typer.echo(f"left out: {frames['frames']}, {why}: {some}{', ...' if frames['frames'] > 3 else ''}")
    for missing in card["missing"]:
        typer.echo(f"too small: {missing}")


def _print_list(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(*(Column(name, no_wrap=name in ("version", "made")) for name in LISTED), box=None, pad_edge=False)
    for one in found:
        if one["problem"]:
            table.add_row(one["id"][:SHORT], *"-" * (len(LISTED) - 2), one["problem"])
            continue
        splits = (str(one["splits"][split]["pictures"]) for split in LISTED[4:7])
        table.add_row(one["id"][:SHORT], one["name"], one["created_at"][:10], str(one["pictures"]), *splits, "newest" if one["newest"] else "")
    Console().print(table if found else "no versions yet: `loupe dataset build LINE` makes one", markup=False)
