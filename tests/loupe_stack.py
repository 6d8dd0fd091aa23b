"""A stack of `loupe up` as people run it: its configuration, its verbs, and what it says of itself."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.embedded.control import stop
from infra.embedded.ports import pick_port
from infra.embedded.ray import RayNode
from infra.embedded.state import StackState
from services.contract.settings import RaySettings


@contextmanager
def stack_home(configuration: str) -> Iterator[Path]:
    """A home with its configuration beside it, on ports of its own; what runs there at the end is ended, and all of it removed."""
    folder = Path(tempfile.mkdtemp(prefix="le-"))
    home = folder / "home"
    (folder / "loupe.toml").write_text(f"{configuration}[dashboard]\nport = {pick_port()}\n[ingest]\nport = {pick_port()}\n")
    yield home
    stop(home)
    for left in (folder, RayNode(home / "ray", 0, 0, RaySettings()).temp_folder):
        shutil.rmtree(left, ignore_errors=True)


def environment(home: Path) -> dict[str, str]:
    """The configuration lies beside the home."""
    return {"LOUPE_CONFIG": str(home.parent / "loupe.toml"), "LOUPE_HOME": str(home)}


def loupe(home: Path, *arguments: str, said: str | None = None) -> subprocess.CompletedProcess[str]:
    """One verb in a process of its own; `said` goes to its standard input."""
    command = [sys.executable, "-m", "services.cli", *arguments]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}  # the cluster of other tests has a token of its own
    return subprocess.run(command, env={**ours, **environment(home)}, input=said, capture_output=True, text=True, check=False, timeout=180)


def status(home: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(loupe(home, "status", "--json").stdout)
    return answer


def running(home: Path) -> StackState:
    state = StackState.running(home)
    assert state is not None, "no supervisor lives"
    return state


def endpoints(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "endpoints.json").read_text())
    return found


def wait_for(condition: Callable[[], bool], within_s: float = 120) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
