"""What runs, on disk: `stack.json`, written by the supervisor and read by every other command, also after a crash."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import psutil

from infra.embedded.process import Identity
from infra.embedded.secret import write_private

MARK = "LOUPE_STACK"
"""Environment variable that every process of a stack inherits: the folder it belongs to."""


class PartState(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    DONE = "done"
    RESTARTING = "restarting"
    FAILED = "failed"
    OUTSIDE = "outside"
    """The settings name an address: somebody else runs it."""


@dataclass(slots=True)
class PartStatus:
    name: str
    state: PartState = PartState.WAITING
    detail: str = ""
    restarts: int = 0
    log: str = ""
    identity: Identity | None = None
    family: list[Identity] = field(default_factory=list)


@dataclass(slots=True)
class StackState:
    """The supervisor and its parts."""

    supervisor: Identity
    addresses: dict[str, str]
    parts: dict[str, PartStatus]

    @property
    def ready(self) -> bool:
        return all(part.state in (PartState.RUNNING, PartState.DONE, PartState.OUTSIDE) for part in self.parts.values())

    def identities(self) -> list[Identity]:
        """Every process recorded, of whatever part."""
        return [identity for part in self.parts.values() for identity in part.family]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    def save(self, home: Path) -> None:
        write_private(_path(home), self.to_json())

    @classmethod
    def load(cls, home: Path) -> Self | None:
        """None where no stack ran, or its record cannot be read."""
        try:
            stored = json.loads(_path(home).read_text())
            parts = {name: _part(part) for name, part in stored["parts"].items()}
            return cls(Identity(**stored["supervisor"]), stored["addresses"], parts)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @classmethod
    def running(cls, home: Path) -> Self | None:
        """The state of a stack whose supervisor lives."""
        state = cls.load(home)
        return state if state is not None and state.supervisor.find() is not None else None

    @staticmethod
    def forget(home: Path) -> None:
        _path(home).unlink(missing_ok=True)


class AlreadyRunningError(RuntimeError):
    """Another supervisor holds this folder."""


@contextmanager
def held(home: Path) -> Iterator[None]:
    """One supervisor a folder: the lock goes with the process, however it ends. Raises AlreadyRunningError."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "stack.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"a stack already runs in {home}; `loupe down` ends it") from None
        yield


def strays(home: Path) -> list[Identity]:
    """Processes that carry this installation's mark in their environment: whoever a killed supervisor had no time to record."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # ended meanwhile, or another user's
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home.absolute()):
                found.append(Identity.of(process.pid))
    return found


def _path(home: Path) -> Path:
    return home / "stack.json"


def _part(stored: dict[str, Any]) -> PartStatus:
    identity = Identity(**stored["identity"]) if stored["identity"] else None
    family = [Identity(**member) for member in stored["family"]]
    return PartStatus(stored["name"], PartState(stored["state"]), stored["detail"], stored["restarts"], stored["log"], identity, family)
