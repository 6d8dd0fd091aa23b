"""`loupe quality`: how well each line was judged, as people's answers tell, over the REST of a running stack."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from services.cli.common import Json, load_settings, print_json, rest

COLUMNS = ("line", "shift from", "inspected", "flagged", "defects", "good", "flagged for nothing", "false rejects", "escapes")


def quality(
    line: Annotated[str | None, typer.Argument(help="Of this line only.")] = None,
    days: Annotated[float, typer.Option(min=0.01, max=31, help="Of the last so many days.")] = 7,
    by_shift: Annotated[bool, typer.Option("--by-shift", help="A row for each shift, the latest first.")] = False,
    as_json: Json = False,
) -> None:
    """Show how often lines flagged good parts and let defects pass, with 95 % intervals."""
    since = datetime.now(UTC) - timedelta(days=days)
    asked = {"since": since.isoformat(), "by": "shift" if by_shift else "line", **({"line": line} if line else {})}
    rows = rest(load_settings(), "GET", "/quality", params=asked)
    if as_json:
        return print_json(rows)
    _print_table(rows)


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*COLUMNS)
    for row in rows:
        counts = (row["passed"] + row["flagged"], row["flagged"], row["confirmed"] + row["corrected"], row["good"])
        shares = (_share(row[name]) for name in ("wrong_flags", "false_rejects", "escapes"))
        table.add_row(row["line"], (row["shift"] or "")[:16], *map(str, counts), *shares)
    Console().print(table)


def _share(share: dict[str, float] | None) -> str:
    return "-" if share is None else f"{share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%})"
