"""The state of a stack -> a table that refreshes in a terminal, or one plain line per change where there is none."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from infra.embedded.state import PartState, StackState

LOOKS = {
    PartState.RUNNING: ("●", "green"),
    PartState.DONE: ("✓", "green"),
    PartState.OUTSIDE: ("→", "cyan"),
    PartState.STARTING: ("…", "yellow"),
    PartState.WAITING: ("·", "dim"),
    PartState.RESTARTING: ("↻", "yellow"),
    PartState.FAILED: ("✗", "red"),
}


def render(state: StackState, login: str = "") -> Group:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "part", "state", "where", "restarts"):
        table.add_column(heading)
    for part in state.parts.values():
        sign, colour = LOOKS[part.state]
        table.add_row(Text(sign, colour), part.name, Text(part.state, colour), state.addresses.get(part.name, ""), str(part.restarts or ""))
    details = [Text(f"{part.name}: {part.detail}", "red" if part.state is PartState.FAILED else "dim") for part in state.parts.values() if part.detail]
    return Group(table, *details, _headline(state), *([Text(login, "bold")] if login and state.ready else []))


def _headline(state: StackState) -> Text:
    if state.ready:
        return Text(f"\nLoupe is up: {state.addresses.get('dashboard', '')}   (Ctrl-C stops everything)", "bold green")
    return Text("\nstarting ... (Ctrl-C stops everything)", "dim")


class Display:
    """Shows each new state once; as `changed` of a supervisor. `login` says how to log in where nobody ever has."""

    def __init__(self, console: Console, login: str = "") -> None:
        self._console, self._login = console, login
        self._live: Live | None = None
        self._said_ready = False

    @contextmanager
    def open(self) -> Iterator["Display"]:
        if not self._console.is_terminal:
            yield self
            return
        logging.getLogger("infra").setLevel(logging.ERROR)  # the table shows it
        with Live(console=self._console, auto_refresh=False) as self._live:
            yield self

    def show(self, state: StackState) -> None:
        if self._live is not None:
            self._live.update(render(state, self._login), refresh=True)
        elif state.ready and not self._said_ready:  # the log has told the rest
            self._console.print(f"Loupe is up: {state.addresses.get('dashboard', '')}", markup=False, highlight=False, soft_wrap=True)
            if self._login:
                self._console.print(self._login, markup=False, highlight=False, soft_wrap=True)
                self._login = ""
        self._said_ready = state.ready
