"""Merging small files, and dropping whole days."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from services.contract.inspection import Inspection
from services.history import keeping
from services.history.catalog import KEPT_FOR_READERS_S, Manifest
from tests.builders import make_inspection, make_timings
from tests.history.conftest import Clock, History

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def made(number: int, *, days_ago: int = 0, line: str = "metal") -> Inspection:
    moment = NOON - timedelta(days=days_ago) + timedelta(seconds=number)
    return make_inspection(number, line=line, timings=make_timings().model_copy(update={"captured_at": moment, "written_at": moment}))


def test_a_closed_day_becomes_one_sorted_file(history: History, clock: Clock) -> None:
    for number in (3, 4, 5):
        history.add(made(number, days_ago=1))
    history.add(made(0, days_ago=1), partition=1)  # of an earlier moment, and another partition of the frames topic
    before = history.frames()
    clock.at += keeping.SETTLED_S + 1

    history.keep()

    [merged] = history.catalog.manifest.files
    table = pq.read_table(history.folder / merged.path, partitioning=None)
    assert (merged.rows, history.frames()) == (len(before), before)
    assert table["inspected_at"].to_pylist() == sorted(table["inspected_at"].to_pylist())


def test_what_was_merged_stays_for_those_who_still_read_it_and_then_goes(history: History, clock: Clock) -> None:
    history.add(made(0, days_ago=1))
    history.add(made(1, days_ago=1))
    clock.at += keeping.SETTLED_S + 1
    history.keep()
    assert len(history.on_disk()) == 3

    clock.at += KEPT_FOR_READERS_S + 1
    history.keep()

    assert history.on_disk() == [one.path for one in history.catalog.manifest.files]


def test_a_day_that_runs_is_merged_when_its_small_files_are_many(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_SMALL", 3)
    for number in range(2):
        history.add(made(number))
    history.keep()
    assert len(history.catalog.manifest.files) == 2

    history.add(made(2))
    history.keep()

    assert len(history.catalog.manifest.files) == 1
    assert len(history.frames()) == 3


def test_a_day_to_which_a_late_recorder_still_adds_waits(history: History) -> None:
    history.add(made(0, days_ago=3))
    history.add(made(1, days_ago=3))

    history.keep()

    assert len(history.catalog.manifest.files) == 2


def test_a_merge_killed_in_the_middle_changes_nothing(history: History, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    history.add(made(0, days_ago=1))
    history.add(made(1, days_ago=1))
    before, clock.at = history.catalog.manifest.files, clock.at + keeping.SETTLED_S + 1

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Manifest, "to_json", killed)
        with pytest.raises(KeyboardInterrupt):
            history.keep()
    history.again()

    assert history.catalog.manifest.files == before
    assert history.on_disk() == sorted(one.path for one in before)


def test_days_that_are_too_old_go(history: History) -> None:
    history.add(made(0, days_ago=31), made(1, days_ago=30), made(2))

    history.keep(max_age_days=30)

    assert sorted(one.day for one in history.catalog.manifest.files) == ["2026-01-31", "2026-03-02"]


def test_too_many_bytes_drop_the_oldest_days_of_all_lines_but_never_the_last_two(history: History, clock: Clock) -> None:
    for days_ago in (3, 2, 1, 0):
        history.add(made(10 - 2 * days_ago, days_ago=days_ago), made(11 - 2 * days_ago, days_ago=days_ago, line="wood"))

    history.keep(max_gb=1e-9)

    assert sorted((one.line, one.day) for one in history.catalog.manifest.files) == [
        (line, day) for line in ("metal", "wood") for day in ("2026-03-01", "2026-03-02")
    ]
    clock.at += KEPT_FOR_READERS_S + 1
    history.keep(max_gb=1e-9)
    assert not (history.folder / "line=metal" / "day=2026-02-27").exists()
