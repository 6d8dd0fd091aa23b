"""A plan -> running parts: started in order, watched, started again when they die, ended in reverse order."""

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from infra.embedded.part import Part
from infra.embedded.plan import Plan
from infra.embedded.process import Identity, RunningProcess, end
from infra.embedded.secret import write_private
from infra.embedded.state import PartState, PartStatus, StackState, strays

log = logging.getLogger(__name__)

POLL_S = 0.2
FAMILY_EVERY_S = 2.0
BACKOFF_S = (0.5, 1, 2, 4, 8)
STEADY_S = 60.0
"""A part that ran this long has not crashed at start: its backoff begins anew."""


@dataclass(slots=True)
class _Watched:
    """A part with the process that runs it now."""

    part: Part
    status: PartStatus
    process: RunningProcess | None = None
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
        self._watched = [_Watched(part, PartStatus(part.name, log=str(self._log_path(part.name)))) for part in plan.parts]
        statuses = {watched.part.name: watched.status for watched in self._watched}
        outside = {name: PartStatus(name, PartState.OUTSIDE, address) for name, address in plan.outside.items()}
        self.state = StackState(Identity.of(os.getpid()), dict(plan.addresses), {**outside, **statuses})
        self._families_at = 0.0

    def run(self) -> None:
        """Returns after everything it started has ended."""
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, self._asked_to_stop)
        write_private(self._home / "endpoints.json", json.dumps(self._plan.endpoints))
        try:
            while not self._stop.is_set():
                self._step()
                self._stop.wait(POLL_S)
        finally:
            self._end_all()

    def _step(self) -> None:
        for watched in self._watched:
            if watched.status.state not in (PartState.FAILED, PartState.DONE):
                self._advance(watched)
            if watched.status.state in (PartState.WAITING, PartState.STARTING) and not watched.part.runs_once:
                break  # the next part needs this one, if it has never served yet
        if time.monotonic() - self._families_at > FAMILY_EVERY_S:
            self._record_families()

    def _advance(self, watched: _Watched) -> None:
        if watched.process is None:
            if time.monotonic() >= watched.start_again_at:
                self._start(watched)
        elif watched.process.exit_code is not None:
            self._ended(watched, watched.process.exit_code)
        elif watched.status.state is not PartState.RUNNING and not watched.part.runs_once:
            self._check_ready(watched)

    def _start(self, watched: _Watched) -> None:
        try:
            watched.process = RunningProcess(
                watched.part.command,
                environment={**self._plan.environment, **watched.part.environment},
                log_path=self._log_path(watched.part.name),
            )
        except OSError as error:
            self._died(watched, f"could not be started: {error}")
            return
        watched.started_at = time.monotonic()
        watched.status.identity = watched.process.identity
        watched.status.family = [watched.process.identity]
        self._set(watched, PartState.RESTARTING if watched.status.restarts else PartState.STARTING)

    def _check_ready(self, watched: _Watched) -> None:
        waiting_for = watched.part.ready()
        if waiting_for is None:
            restarted = watched.status.state is PartState.RESTARTING
            self._set(watched, PartState.RUNNING)
            if restarted:
                self._run_again(watched.part.name)
        elif time.monotonic() - watched.started_at > watched.part.ready_within_s:
            assert watched.process is not None
            watched.process.stop(watched.part.stop_within_s)
            self._died(watched, f"did not serve within {watched.part.ready_within_s:g} s: still waiting for {waiting_for}")
        elif watched.status.detail != waiting_for:
            self._set(watched, watched.status.state, f"waiting for {waiting_for}")

    def _ended(self, watched: _Watched, exit_code: int) -> None:
        if watched.part.runs_once and exit_code == 0:
            watched.process = None
            self._set(watched, PartState.DONE)
        else:
            how = f"was ended by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
            self._died(watched, how)

    def _died(self, watched: _Watched, how: str) -> None:
        last_lines = watched.process.log.last_lines() if watched.process else []
        end(watched.status.family, within_s=2)  # a part that died may have left children
        watched.process = None
        lived = time.monotonic() - watched.started_at
        watched.quick_deaths = 0 if lived > STEADY_S else watched.quick_deaths + 1
        watched.status.restarts += 1
        watched.status.identity = None
        detail = "\n".join([how, *last_lines])
        if watched.quick_deaths > len(BACKOFF_S):
            self._set(watched, PartState.FAILED, f"given up after {watched.quick_deaths} tries: {detail}")
            return
        watched.start_again_at = time.monotonic() + BACKOFF_S[max(0, watched.quick_deaths - 1)]
        self._set(watched, PartState.RESTARTING, detail)

    def _run_again(self, name: str) -> None:
        """What a restarted part has forgotten is told to it again."""
        for watched in self._watched:
            if name in watched.part.again_after and watched.process is None:
                watched.start_again_at = 0.0
                self._set(watched, PartState.WAITING)

    def _set(self, watched: _Watched, state: PartState, detail: str = "") -> None:
        if state is not watched.status.state:
            log.info("%s: %s %s", watched.part.name, state, detail)
        watched.status.state, watched.status.detail = state, detail
        self._publish()

    def _record_families(self) -> None:
        """So that a successor can end them should this process be killed."""
        self._families_at = time.monotonic()
        for watched in self._watched:
            if watched.process is not None:
                watched.status.family = watched.process.family() or watched.status.family
        self._publish()

    def _publish(self) -> None:
        self.state.save(self._home)
        self._changed(self.state)

    def _end_all(self) -> None:
        self._record_families()
        for watched in reversed(self._watched):
            if watched.process is not None:
                log.info("%s: stopping", watched.part.name)
                watched.process.stop(watched.part.stop_within_s)
                watched.process = None
                self._set(watched, PartState.WAITING, "stopped")
        end([*self.state.identities(), *strays(self._home)], within_s=5)
        (self._home / "endpoints.json").unlink(missing_ok=True)
        StackState.forget(self._home)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _log_path(self, name: str) -> Path:
        return self._home / "logs" / f"{name}.log"


def end_orphans(home: Path) -> list[Identity]:
    """Ends what a killed supervisor of this folder left behind: by recorded pid and start time, and by the mark in their environment."""
    state = StackState.load(home)
    recorded = state.identities() if state is not None else []
    found = end([*recorded, *strays(home)], within_s=10)
    (home / "endpoints.json").unlink(missing_ok=True)
    StackState.forget(home)
    return found
