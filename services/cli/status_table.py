"""The answer of `loupe status` -> tables for people."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def print_status(answer: Mapping[str, Any]) -> None:
    console = Console()
    for problem in answer.get("problems", ()):
        console.print(f"! {problem}", style="yellow", markup=False)
    _print(console, answer.get("processes", ()), ("name", "state", "pid", "restarts", "address"))
    _print(console, answer.get("lines", ()), ("id", "state", "frames_per_s", "p95_ms", "model_version", "calibration_id"))
    for section in ("ledger", "lag", "latency", "replicas"):
        if answer.get(section):
            console.print(f"{section}: {_words(answer[section])}", markup=False, highlight=False)


def _print(console: Console, rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column.replace("_", " "))
    rows = list(rows)
    for row in rows:
        table.add_row(*(_shown(row.get(column)) for column in columns))
    if rows:
        console.print(table)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return "" if value is None else str(value)[:24]


def _words(section: Mapping[str, Any]) -> str:
    return "  ".join(f"{key} {_shown(value)}" for key, value in section.items())
