"""Start a stack in the background, wait for it, end it: what `loupe up --detach`, `loupe down`, demos and tests share."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from infra.embedded.process import alive_after
from infra.embedded.state import PartState, StackState

POLL_S = 0.2
READY_WITHIN_S = 600.0
DOWN_WITHIN_S = 120.0


class StackError(RuntimeError):
    """The stack could not be started or ended; the message says which part and why."""


def start_detached(home: Path, environment: Mapping[str, str] | None = None, *, within_s: float = READY_WITHIN_S) -> StackState:
    """Starts `loupe up` on its own and waits until every part serves. Raises StackError, after ending what it started."""
    home = home.absolute()
    log_path = home / "logs" / "up.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "up", "--log-file", str(log_path)],
            env={**os.environ, **(environment or {}), "LOUPE_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _wait_ready(home, process, log_path, within_s)
    except BaseException:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(DOWN_WITHIN_S)
        raise


def stop(home: Path, *, within_s: float = DOWN_WITHIN_S) -> bool:
    """Asks the supervisor to end and waits until it has; False where none runs. Raises StackError."""
    state = StackState.running(home.absolute())
    process = state.supervisor.find() if state is not None else None
    if state is None or process is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
    if alive_after([state.supervisor], within_s):
        raise StackError(f"the supervisor (pid {process.pid}) has not ended within {within_s:g} s; see {home / 'logs'}")
    return True


def _wait_ready(home: Path, process: subprocess.Popen[bytes], log_path: Path, within_s: float) -> StackState:
    deadline = time.monotonic() + within_s
    while True:
        if process.poll() is not None:
            raise StackError(f"`loupe up` ended with {process.returncode}: {log_path.read_text()[-2000:].strip()}")
        state = StackState.running(home)
        if state is not None and state.supervisor.pid == process.pid:
            if state.ready:
                return state
            _refuse_failed(state)
        if time.monotonic() > deadline:
            raise StackError(f"not up within {within_s:g} s: {_unready(state)}")
        time.sleep(POLL_S)


def _refuse_failed(state: StackState) -> None:
    failed = [f"{part.name}: {part.detail}" for part in state.parts.values() if part.state is PartState.FAILED]
    if failed:
        raise StackError("\n".join(failed))


def _unready(state: StackState | None) -> str:
    if state is None:
        return "nothing has started"
    serving = (PartState.RUNNING, PartState.DONE, PartState.OUTSIDE)
    return ", ".join(f"{part.name} ({part.state} {part.detail})" for part in state.parts.values() if part.state not in serving)
