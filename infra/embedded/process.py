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

SAME_START_S = 0.05


@dataclass(frozen=True, slots=True)
class Identity:
    """A pid alone may have been given to somebody else since; pid and start time together cannot."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Identity":
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The process, if it still lives."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < SAME_START_S and process.status() != psutil.STATUS_ZOMBIE
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
        end(members, within_s=2)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._pump.join(2)
        self.log.close()


def family(identity: Identity) -> list[Identity]:
    process = identity.find()
    if process is None:
        return []
    members = [identity]
    with contextlib.suppress(psutil.Error):
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                members.append(Identity(child.pid, child.create_time()))
    return members


def end(identities: Iterable[Identity], *, within_s: float) -> list[Identity]:
    """Asks those that still live to end, kills what is left after `within_s`; returns whom it found alive."""
    alive = [(identity, process) for identity in identities if (process := identity.find()) is not None]
    for _, process in alive:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs([process for _, process in alive], timeout=within_s)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    return [identity for identity, _ in alive]


def _pump(pipe: IO[bytes], log: RotatingLog) -> None:
    with pipe:
        for line in pipe:
            log.write(line)
