"""`loupe history`: whatever was inspected, searched and exported over the REST of a running stack."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from services.cli.common import Json, authorization, dashboard_url, fail, load_settings, print_json, rest

if TYPE_CHECKING:
    from services.contract.settings import Settings

PAGE = 500
COLUMNS = ("inspected", "frame", "result", "score", "model", "part", "verdict")

app = typer.Typer(help="Whatever was inspected.", no_args_is_help=True)

Line = Annotated[str | None, typer.Option(help="Of this line only.")]
Camera = Annotated[str | None, typer.Option(help="Of this camera only.")]
Product = Annotated[str | None, typer.Option(help="Of this product only.")]
Part = Annotated[str | None, typer.Option(help="Of this part only.")]
Frame = Annotated[str | None, typer.Option(help="This one: line/camera/session/sequence.")]
Model = Annotated[str | None, typer.Option(help="Judged by this model version: its id, or how it begins.")]
DecisionOption = Annotated[Literal["pass", "review", "fail"] | None, typer.Option(help="With this decision only.")]
OutcomeOption = Annotated[Literal["inspected", "recorded", "failed", "late"] | None, typer.Option(help="With this outcome only.")]
ScoreFrom = Annotated[float | None, typer.Option(min=0, max=1, help="At this score or above.")]
ScoreTo = Annotated[float | None, typer.Option(min=0, max=1, help="At this score or below.")]
Since = Annotated[datetime | None, typer.Option(help="Inspected then or later, UTC.")]
Until = Annotated[datetime | None, typer.Option(help="Inspected before then, UTC.")]


@app.command()
def search(
    line: Line = None,
    camera: Camera = None,
    product: Product = None,
    part: Part = None,
    frame: Frame = None,
    model: Model = None,
    decision: DecisionOption = None,
    outcome: OutcomeOption = None,
    score_from: ScoreFrom = None,
    score_to: ScoreTo = None,
    since: Since = None,
    until: Until = None,
    count: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 20,
    as_json: Json = False,
) -> None:
    """Show inspections, newest first. Filters that would tell of a blind check leave it out."""
    asked = _asked(
        line=line, camera=camera, product=product, part_id=part, frame_id=frame, model_version=model, decision=decision, outcome=outcome,
        score_from=score_from, score_to=score_to, since=since, until=until,
    )  # fmt: skip
    rows = _rows(load_settings(), asked, count)
    if as_json:
        return print_json(rows)
    _print_table(rows)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="A file: .csv for all that fits, .zip for the pictures that people answered, in MVTec layout.")],
    line: Line = None,
    camera: Camera = None,
    product: Product = None,
    part: Part = None,
    model: Model = None,
    decision: DecisionOption = None,
    outcome: OutcomeOption = None,
    score_from: ScoreFrom = None,
    score_to: ScoreTo = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Write inspections to a file; a zip says in missing.csv what could not be had."""
    if out.suffix not in (".csv", ".zip"):
        fail(f"--out: expected a name that ends with .csv or .zip, got {out}", 2)
    asked = _asked(
        line=line, camera=camera, product=product, part_id=part, model_version=model, decision=decision, outcome=outcome,
        score_from=score_from, score_to=score_to, since=since, until=until,
    )  # fmt: skip
    size = _download(load_settings(), f"/history{out.suffix}", asked, out)
    typer.echo(f"{out}: {size / 1e6:.1f} MB")


def _asked(**filters: Any) -> dict[str, str]:
    moments = {name: value.replace(tzinfo=UTC).isoformat() for name, value in filters.items() if isinstance(value, datetime)}
    return {name: str(value) for name, value in {**filters, **moments}.items() if value is not None}


def _rows(settings: "Settings", asked: dict[str, str], count: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while len(rows) < count:
        page = rest(settings, "GET", "/history", params={**asked, **after, "limit": min(PAGE, count - len(rows))})
        rows += page["rows"]
        if page["after"] is None:
            break
        after = {"after": page["after"]}
    return rows


def _download(settings: "Settings", path: str, asked: dict[str, str], out: Path) -> int:
    """A chunk at a time, under its own name when all of it has come."""
    import httpx

    url, aside = f"{dashboard_url(settings)}/api/v1{path}", out.with_name(f".{out.name}.part")
    try:
        with httpx.stream("GET", url, params=asked, timeout=120, trust_env=False, headers=authorization(settings)) as response, aside.open("wb") as file:
            if response.is_error:
                fail(f"{url}: {response.status_code}: {response.read().decode(errors='replace')[:300]}")
            for chunk in response.iter_bytes():
                file.write(chunk)
    except httpx.HTTPError as error:
        fail(f"{url}: no whole answer ({error})")
    else:
        aside.rename(out)
        return out.stat().st_size
    finally:
        aside.unlink(missing_ok=True)


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(*(Column(name, overflow="fold") for name in COLUMNS), box=None, pad_edge=False)
    for row in rows:
        result = "blind check" if row["blind"] else row["decision"] or row["outcome"]
        score = "-" if row["score"] is None else f"{row['score']:.3f}"
        verdict = row["verdict"] or {}
        said = verdict.get("defect_class") or verdict.get("answer") or "-"
        moment = f"{datetime.fromisoformat(row['inspected_at']):%Y-%m-%d %H:%M:%S}"
        table.add_row(moment, row["frame_id"], result, score, (row["model_version"] or "-")[:12], row["part_id"] or "-", said)
    Console().print(table if rows else "nothing of this kind was inspected", markup=False)
