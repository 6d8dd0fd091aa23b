"""Processes are ours by pid and start time, and none of them outlives the one who ends it."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infra.embedded.process import Identity, RunningProcess, end

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


def test_a_process_is_found_by_its_identity() -> None:
    found = Identity.of(os.getpid()).find()

    assert found is not None
    assert found.pid == os.getpid()


def test_a_pid_given_to_somebody_else_since_is_not_ours() -> None:
    me = Identity.of(os.getpid())

    assert replace(me, started=me.started - 1).find() is None


def test_stopping_a_process_ends_its_children_too(tmp_path: Path) -> None:
    process = start(tmp_path, PARENT)
    wait_for(lambda: len(process.family()) == 2)
    family = process.family()

    process.stop(within_s=5)

    assert process.exit_code is not None
    assert [member.find() for member in family] == [None, None]


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    process = start(tmp_path, STUBBORN)
    wait_for(lambda: process.log.last_lines() == ["ready"])

    process.stop(within_s=0.2)

    assert process.identity.find() is None


def test_only_those_that_lived_are_reported_as_ended(tmp_path: Path) -> None:
    process = start(tmp_path, "import time; time.sleep(600)")
    gone = replace(process.identity, started=0.0)

    ended = end([process.identity, gone], within_s=5)

    assert ended == [process.identity]
    process.stop(within_s=1)


def test_the_last_words_of_a_process_are_kept(tmp_path: Path) -> None:
    process = start(tmp_path, "import sys; sys.exit('no disk left')")
    wait_for(lambda: process.exit_code is not None)

    process.clear([])

    assert process.log.last_lines() == ["no disk left"]


def start(folder: Path, program: str) -> RunningProcess:
    return RunningProcess((sys.executable, "-c", program), environment={}, log_path=folder / "part.log")


def wait_for(condition: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
