"""A plan -> running parts: started as soon as those they need serve, watched, started again when they die, ended in reverse order."""

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.part import Part
from infra.embedded.plan import Plan
from infra.embedded.process import Identity, RunningProcess, end
from infra.embedded.secret import write_private
from infra.embedded.state import PartState, PartStatus, StackState, strays

log = logging.getLogger(__name__)

POLL_S = 0.2
RECORD_EVERY_S = 2.0
BACKOFF_S = (0.5, 1, 2, 4, 8)
STEADY_S = 60.0
"""A part that ran this long has not crashed at start: its backoff begins anew."""
SETTLED = (PartState.RUNNING, PartState.FAILED)
ORPHANS_WITHIN_S = 20.0


@dataclass(slots=True)
class _Watched:
    """A part with the process that runs it now."""

    part: Part
    status: PartStatus
    process: RunningProcess | None = None
    served: bool = False
    started_at: float = 0.0
    quick_deaths: int = 0
    start_again_at: float = 0.0


class Supervisor:
    """Runs in the foreground until it is told to stop; `changed` is called after every change of state."""

    def __init__(self, home: Path, plan: Plan, changed: Callable[[StackState], None] = lambda state: None) -> None:
        self._home = home.absolute()
        self._plan = plan
        self._changed = changed
        self._stop = threading.Event()
        self._watched = {part.name: _Watched(part, PartStatus(part.name, log=str(self._log_path(part.name)))) for part in plan.parts}
        statuses = {name: watched.status for name, watched in self._watched.items()}
        outside = {name: PartStatus(name, PartState.OUTSIDE, address) for name, address in plan.outside.items()}
        self.state = StackState(Identity.of(os.getpid()), dict(plan.addresses), {**outside, **statuses})
        self._recorded_at = 0.0
        self._published = ""

    def run(self) -> None:
        """Returns after `ask_to_stop`, when everything it started has ended."""
        write_private(self._home / "endpoints.json", json.dumps(self._plan.endpoints))
        self._publish()
        try:
            while not self._stop.is_set():
                self._step()
                self._stop.wait(POLL_S)
        finally:
            self._end_all()

    def ask_to_stop(self) -> None:
        self._stop.set()

    def _step(self) -> None:
        for watched in self._watched.values():
            if self._stop.is_set():
                return
            if watched.status.state not in (PartState.FAILED, PartState.DONE):
                self._advance(watched)
        if time.monotonic() - self._recorded_at > RECORD_EVERY_S:
            self._record_families()

    def _advance(self, watched: _Watched) -> None:
        if watched.process is None:
            if time.monotonic() >= watched.start_again_at and self._may_start(watched.part):
                self._start(watched)
        elif watched.process.exit_code is not None:
            self._ended(watched, watched.process.exit_code)
        elif watched.status.state is not PartState.RUNNING:
            self._check_ready(watched)

    def _may_start(self, part: Part) -> bool:
        """One that has given up holds nobody back: the others say themselves what they miss."""
        needed = (self._watched[name] for name in part.after if name in self._watched)
        told = (self._watched[name].status.state for name in part.again_after if name in self._watched)
        return all(other.served or other.status.state is PartState.FAILED for other in needed) and all(state in SETTLED for state in told)

    def _start(self, watched: _Watched) -> None:
        environment = {**self._plan.environment, **watched.part.environment}
        try:
            watched.process = RunningProcess(watched.part.command, environment=environment, log_path=self._log_path(watched.part.name))
        except OSError as error:
            self._died(watched, f"could not be started: {error}", [])
            return
        watched.started_at = time.monotonic()
        watched.status.identity = watched.process.identity
        watched.status.family = [watched.process.identity]
        self._set(watched, PartState.RESTARTING if watched.status.restarts else PartState.STARTING)

    def _check_ready(self, watched: _Watched) -> None:
        waiting_for = "its end" if watched.part.runs_once else watched.part.ready()
        if waiting_for is None:
            self._serves(watched)
        elif time.monotonic() - watched.started_at > watched.part.ready_within_s:
            self._end(watched, f"after {watched.part.ready_within_s:g} s still waiting for {waiting_for}")
        elif not watched.part.runs_once:
            self._set(watched, watched.status.state, f"waiting for {waiting_for}")

    def _serves(self, watched: _Watched) -> None:
        watched.served = True
        self._set(watched, PartState.RUNNING)

    def _end(self, watched: _Watched, why: str) -> None:
        assert watched.process is not None
        watched.process.stop(watched.part.stop_within_s)
        self._died(watched, why, watched.process.log.last_lines())

    def _ended(self, watched: _Watched, exit_code: int) -> None:
        assert watched.process is not None
        watched.process.clear(watched.status.family)  # a part that died may have left children
        if watched.part.runs_once and exit_code == 0:
            watched.process, watched.served, watched.quick_deaths = None, True, 0
            self._set(watched, PartState.DONE)
            return
        how = f"was ended by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
        self._died(watched, how, watched.process.log.last_lines())

    def _died(self, watched: _Watched, how: str, last_lines: list[str]) -> None:
        watched.process = None
        watched.quick_deaths = 1 if time.monotonic() - watched.started_at > STEADY_S else watched.quick_deaths + 1
        watched.status.restarts += 1
        watched.status.identity, watched.status.family = None, []
        detail = "\n    ".join([how, *last_lines])
        if watched.quick_deaths > len(BACKOFF_S):
            self._set(watched, PartState.FAILED, f"given up after {watched.quick_deaths} tries: {detail}")
            return
        watched.start_again_at = time.monotonic() + BACKOFF_S[watched.quick_deaths - 1]
        self._set(watched, PartState.RESTARTING, detail)
        self._run_again(watched.part.name)

    def _run_again(self, died: str) -> None:
        """What a part has forgotten with its death is told to it again, once it serves."""
        for watched in self._watched.values():
            if died in watched.part.again_after and watched.status.state in (PartState.DONE, PartState.FAILED):
                watched.start_again_at, watched.quick_deaths = 0.0, 0
                self._set(watched, PartState.WAITING, f"for {died}")

    def _set(self, watched: _Watched, state: PartState, detail: str = "") -> None:
        if state is not watched.status.state:
            level = logging.WARNING if state in (PartState.FAILED, PartState.RESTARTING) and detail else logging.INFO
            log.log(level, "%s: %s%s", watched.part.name, state, f": {detail}" if detail else "")
        watched.status.state, watched.status.detail = state, detail
        self._publish()

    def _record_families(self) -> None:
        """So that a successor can end them should this process be killed."""
        self._recorded_at = time.monotonic()
        for watched in self._watched.values():
            if watched.process is not None:
                watched.status.family = watched.process.family() or watched.status.family
        self._publish()

    def _publish(self) -> None:
        """A full disk or a terminal that is gone must not end what runs, nor keep it from being ended."""
        state = self.state.to_json()
        if state == self._published:
            return
        self._published = state
        for tell in (self.state.save, lambda home: self._changed(self.state)):
            try:
                tell(self._home)
            except OSError as error:
                log.debug("state not told: %s", error)

    def _end_all(self) -> None:
        self._record_families()
        for watched in reversed(self._watched.values()):
            if watched.process is not None:
                self._set(watched, PartState.WAITING, "stopping")
                watched.process.stop(watched.part.stop_within_s)
                watched.process = None
                self._set(watched, PartState.WAITING, "stopped")
        end_orphans(self._home)

    def _log_path(self, name: str) -> Path:
        return self._home / "logs" / f"{name}.log"


def stop_on_signals(supervisor: Supervisor) -> None:
    """Ctrl-C, `kill` and a closed terminal all end the stack in order."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, lambda number, frame: supervisor.ask_to_stop())


def end_orphans(home: Path) -> list[Identity]:
    """Ends what is left of this folder's stack: by recorded pid and start time, and whoever carries its mark. Call it only while no supervisor lives."""
    state = StackState.load(home)
    recorded = state.identities() if state is not None else []
    found = end([*recorded, *strays(home)], within_s=ORPHANS_WITHIN_S)
    (home / "endpoints.json").unlink(missing_ok=True)
    StackState.forget(home)
    return found
