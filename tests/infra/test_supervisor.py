"""Parts are started in order, started again when they die, and ended in reverse; a killed supervisor leaves nothing that its successor cannot find."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from infra.embedded.part import Part
from infra.embedded.plan import Plan
from infra.embedded.state import MARK, PartState, PartStatus, StackState
from infra.embedded.supervisor import Supervisor, end_orphans

SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")
CRASHES = (sys.executable, "-c", "import sys; sys.exit('the disk is full')")
ORPHAN_MAKER = """
import sys
from pathlib import Path
from infra.embedded.part import Part
from infra.embedded.plan import Plan
from infra.embedded.state import MARK
from infra.embedded.supervisor import Supervisor
home = Path(sys.argv[1])
parent = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"
Supervisor(home, Plan([Part("one", (sys.executable, "-c", parent))], environment={MARK: str(home)})).run()
"""


def test_a_part_starts_when_the_one_it_needs_serves(tmp_path: Path) -> None:
    gate = threading.Event()
    first = Part("first", SLEEPS, ready=lambda: None if gate.is_set() else "its gate")

    with supervised(tmp_path, first, Part("second", SLEEPS, after=("first",))) as state:
        wait_for(lambda: state.parts["first"].detail == "waiting for its gate")
        assert state.parts["second"].identity is None

        gate.set()

        wait_for(lambda: state.ready)


def test_a_part_that_was_killed_gets_a_new_process(tmp_path: Path) -> None:
    with supervised(tmp_path, Part("one", SLEEPS)) as state:
        wait_for(lambda: state.ready)
        first = pid(state.parts["one"])

        os.kill(first, signal.SIGKILL)

        wait_for(lambda: state.parts["one"].restarts == 1 and state.ready)
        assert pid(state.parts["one"]) != first


def test_a_part_that_keeps_crashing_is_given_up_with_its_last_words_and_the_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.embedded.supervisor.BACKOFF_S", (0.0, 0.0))

    with supervised(tmp_path, Part("broken", CRASHES), Part("sound", SLEEPS, after=("broken",))) as state:
        wait_for(lambda: state.parts["broken"].state is PartState.FAILED and state.parts["sound"].state is PartState.RUNNING)

        assert "given up after 3 tries: ended with exit code 1" in state.parts["broken"].detail
        assert "the disk is full" in state.parts["broken"].detail


def test_a_part_that_never_serves_is_ended_and_says_what_it_waited_for(tmp_path: Path) -> None:
    deaf = Part("deaf", SLEEPS, ready=lambda: "an answer", ready_within_s=0.3)

    with supervised(tmp_path, deaf) as state:
        wait_for(lambda: state.parts["deaf"].restarts > 0)

        assert "still waiting for an answer" in state.parts["deaf"].detail


def test_work_done_once_is_done_again_when_what_it_told_was_restarted(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    deploy = (sys.executable, "-c", f"open({str(runs)!r}, 'a').write('x')")

    with supervised(tmp_path, Part("ray", SLEEPS), Part("deploy", deploy, after=("ray",), runs_once=True, again_after=("ray",))) as state:
        wait_for(lambda: state.ready)
        assert state.parts["deploy"].state is PartState.DONE

        os.kill(pid(state.parts["ray"]), signal.SIGKILL)

        wait_for(lambda: runs.read_text() == "xx" and state.ready)


def test_nothing_is_left_when_it_ends(tmp_path: Path) -> None:
    with supervised(tmp_path, Part("one", SLEEPS), Part("two", SLEEPS)) as state:
        wait_for(lambda: state.ready)
        pids = [pid(part) for part in state.parts.values()]

    assert not any(psutil.pid_exists(one) for one in pids)
    assert not (tmp_path / "stack.json").exists()
    assert not (tmp_path / "endpoints.json").exists()


def test_a_terminal_that_is_gone_does_not_keep_parts_from_being_ended(tmp_path: Path) -> None:
    def gone(state: StackState) -> None:
        raise OSError("input/output error")

    with supervised(tmp_path, Part("one", SLEEPS), changed=gone) as state:
        wait_for(lambda: state.ready)
        left = pid(state.parts["one"])

    assert not psutil.pid_exists(left)


def test_orphans_of_a_killed_supervisor_are_found_and_ended(tmp_path: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", ORPHAN_MAKER, str(tmp_path)])
    wait_for(lambda: len(recorded(tmp_path)) == 2)
    orphans = recorded(tmp_path)
    supervisor.kill()
    supervisor.wait()
    assert all(orphan.find() is not None for orphan in orphans)

    ended = end_orphans(tmp_path)

    assert {one.pid for one in ended} == {one.pid for one in orphans}
    assert all(orphan.find() is None for orphan in orphans)
    assert not (tmp_path / "stack.json").exists()


def test_a_process_that_nobody_recorded_is_known_by_its_mark(tmp_path: Path) -> None:
    marked = subprocess.Popen(SLEEPS, env={**os.environ, MARK: str(tmp_path)})
    others = subprocess.Popen(SLEEPS, env={**os.environ, MARK: f"{tmp_path}-other"})
    try:
        assert [one.pid for one in end_orphans(tmp_path)] == [marked.pid]
        assert others.poll() is None
    finally:
        others.kill()
        others.wait()


@contextmanager
def supervised(home: Path, *parts: Part, changed: Callable[[StackState], None] = lambda state: None) -> Iterator[StackState]:
    supervisor = Supervisor(home, Plan(list(parts), environment={MARK: str(home)}), changed)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield supervisor.state
    finally:
        supervisor.ask_to_stop()
        thread.join()


def pid(part: PartStatus) -> int:
    assert part.identity is not None
    return part.identity.pid


def recorded(home: Path) -> list:  # type: ignore[type-arg]
    state = StackState.load(home)
    return state.identities() if state is not None else []


def wait_for(condition: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
