"""When a retraining is asked for without anybody's click."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.contract.inspection import Calibration
from services.contract.settings import RetrainingSettings
from services.records.answers import Answers
from services.records.audit import Actor
from services.records.database import Database
from services.records.jobs import Jobs, JobState, Trigger
from services.records.store import Records
from services.trainer.triggers import Triggers
from tests.databases import with_tables

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ANNA = Actor("anna", "supervisor")


class Given(Answers):
    """As many verdicts as a test says, each at a moment."""

    def __init__(self, *moments: datetime) -> None:
        self.moments = moments

    def given_since(self, line: str, moment: datetime | None) -> int:
        return sum(moment is None or one > moment for one in self.moments)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return with_tables(f"sqlite:///{tmp_path / 'records.sqlite'}")


@pytest.fixture
def records(url: str) -> Iterator[Records]:
    opened = Records(url)
    opened.add_line("metal")
    opened.add_line("recorded")
    calibration = Calibration(calibration_id="c", review=0.5, fail=0.6, map_threshold=0.5)
    opened.add_calibration("metal", "m" * 64, calibration, {})
    opened.activate("metal", "m" * 64, "c", by="test")
    yield opened
    opened.close()


@pytest.fixture
def jobs(url: str) -> Iterator[Jobs]:
    database = Database(url)
    yield Jobs(database, now=lambda: NOW)
    database.close()


def looked(records: Records, jobs: Jobs, given: Given, now: datetime = NOW, **settings: Any) -> list[tuple[str, Trigger]]:
    Triggers(RetrainingSettings(**settings), records, given, jobs).look(now)
    return [(job.line, job.trigger) for job in jobs.jobs() if job.state is JobState.QUEUED]


def moments(number: int, at: datetime = NOW - timedelta(hours=1)) -> Given:
    return Given(*[at] * number)


@pytest.mark.parametrize(("number", "asked"), [(4, []), (5, [("metal", Trigger.VERDICTS)])])
def test_enough_new_verdicts_ask_once_for_a_line_that_has_a_model(records: Records, jobs: Jobs, number: int, asked: list[tuple[str, Trigger]]) -> None:
    assert looked(records, jobs, moments(number), after_verdicts=5) == asked
    assert looked(records, jobs, moments(number), after_verdicts=5) == asked


def test_verdicts_that_a_job_had_already_do_not_count_again(records: Records, jobs: Jobs) -> None:
    first, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    jobs.cancel(first.id, ANNA)

    assert looked(records, jobs, moments(9), after_verdicts=5) == []
    assert looked(records, jobs, moments(5, NOW + timedelta(hours=1)), after_verdicts=5) == [("metal", Trigger.VERDICTS)]


def test_a_schedule_asks_only_where_there_is_something_new(records: Records, jobs: Jobs) -> None:
    assert looked(records, jobs, moments(0), every_hours=24) == []
    first, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    jobs.cancel(first.id, ANNA)
    later = moments(1, NOW + timedelta(hours=1))

    assert looked(records, jobs, later, NOW + timedelta(hours=23), every_hours=24) == []
    assert looked(records, jobs, later, NOW + timedelta(hours=24), every_hours=24) == [("metal", Trigger.SCHEDULE)]


def test_with_neither_only_a_click_retrains(records: Records, jobs: Jobs) -> None:
    assert looked(records, jobs, moments(1000), after_verdicts=0) == []
