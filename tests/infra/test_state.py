"""`stack.json` outlives whoever wrote it; the lock does not."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from infra.embedded.process import Identity
from infra.embedded.state import AlreadyRunningError, PartState, PartStatus, StackState, held


@pytest.fixture
def state() -> StackState:
    me = Identity.of(os.getpid())
    return StackState(me, {"redis": "127.0.0.1:6379"}, {"redis": PartStatus("redis", PartState.RUNNING, identity=me, family=[me])})


def test_a_state_comes_back_as_it_was_saved(state: StackState, tmp_path: Path) -> None:
    state.save(tmp_path)

    assert StackState.load(tmp_path) == state
    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600


def test_a_stack_runs_only_while_its_supervisor_lives(state: StackState, tmp_path: Path) -> None:
    state.save(tmp_path)
    assert StackState.running(tmp_path) is not None

    state.supervisor = replace(state.supervisor, started=1.0)
    state.save(tmp_path)

    assert StackState.running(tmp_path) is None


@pytest.mark.parametrize("written", ["", "{", '{"parts": {}}', "[]"])
def test_a_broken_record_counts_as_none(written: str, tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(written)

    assert StackState.load(tmp_path) is None


def test_a_folder_has_one_supervisor(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(AlreadyRunningError, match="loupe down"), held(tmp_path):
        pass

    with held(tmp_path):
        pass
