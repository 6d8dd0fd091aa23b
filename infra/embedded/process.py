"""One started process: its identity, its bounded log, and its end with everything it started."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from infra.embedded.logfile import RotatingLog

PROC = Path("/proc")
CHILDREN_WITHIN_S = 3.0
KILLED_WITHIN_S = 5.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Identity:
    """A pid alone may have been given to somebody else since; pid and start time together cannot."""

    pid: int
    started: float
    """Clock ticks since boot where the system tells them (a wall clock that is set moves every other start time), else Unix time."""

    @classmethod
    def of(cls, pid: int) -> "Identity":
        """Raises psutil.NoSuchProcess."""
        return cls(pid, _started(pid))

    def find(self) -> psutil.Process | None:
        """The process, if it still lives."""
        try:
            process = psutil.Process(self.pid)
            same = _started(self.pid) == self.started and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return process if same else None


class RunningProcess:
    """A child in a session of its own, so that Ctrl-C in the terminal reaches only the one who ends it in order."""

    def __init__(self, command: Iterable[str], *, environment: Mapping[str, str], log_path: Path) -> None:
        self.log = RotatingLog(log_path)
        self._process = subprocess.Popen(
            list(command),
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.identity = Identity.of(self._process.pid)
        self.started_at = time.monotonic()
        assert self._process.stdout is not None
        self._pump = threading.Thread(target=_pump, args=(self._process.stdout, self.log), daemon=True, name=f"log-{log_path.stem}")
        self._pump.start()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: ended by that signal."""
        return self._process.poll()

    def family(self) -> list[Identity]:
        """It and all that descends from it."""
        return family(self.identity)

    def stop(self, within_s: float) -> None:
        """Asks, waits, then kills; what it started goes too."""
        members = self.family()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(within_s)
        self.clear(members)

    def clear(self, members: Iterable[Identity]) -> None:
        """After its end: ends what it left behind, so that the last lines are read and the log can be closed."""
        end(members, within_s=CHILDREN_WITHIN_S)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._pump.join(CHILDREN_WITHIN_S)
        self.log.close()


def _started(pid: int) -> float:
    try:
        # the command in brackets may hold spaces; the start time is the 22nd field, the 20th after it
        return float((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return psutil.Process(pid).create_time()


def family(identity: Identity) -> list[Identity]:
    process = identity.find()
    if process is None:
        return []
    members = [identity]
    with contextlib.suppress(psutil.Error):
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                members.append(Identity.of(child.pid))
    return members


def end(identities: Iterable[Identity], *, within_s: float) -> list[Identity]:
    """Asks those that still live to end, kills what is left after `within_s`; returns whom it found alive."""
    alive = [identity for identity in dict.fromkeys(identities) if _signal(identity, signal.SIGTERM)]
    for identity in alive_after(alive, within_s):
        _signal(identity, signal.SIGKILL)
    alive_after(alive, KILLED_WITHIN_S)
    return alive


def _signal(identity: Identity, number: int) -> bool:
    """Whether it lived and could be told."""
    process = identity.find()
    if process is None:
        return False
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True


def alive_after(identities: Iterable[Identity], within_s: float) -> list[Identity]:
    """Who still lives after at most `within_s`; a zombie does not, though nobody may ever reap it."""
    deadline = time.monotonic() + within_s
    left = list(identities)
    while (left := [identity for identity in left if identity.find() is not None]) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return left


def _pump(pipe: IO[bytes], log: RotatingLog) -> None:
    with pipe:
        for line in pipe:
            log.write(line)
