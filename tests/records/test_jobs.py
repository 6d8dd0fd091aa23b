"""Jobs of retraining: one open of a line, a lease, and what becomes of it, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from services.records.audit import Actor, Audit
from services.records.database import Database
from services.records.errors import LostLeaseError, UnknownJobError, UnknownLineError
from services.records.jobs import Jobs, JobState, Trigger
from services.records.store import Records

ANNA = Actor("anna", "supervisor")
LEASE = timedelta(seconds=30)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    records = Records(url)
    for line in ("metal", "wood"):
        records.add_line(line)
    records.close()
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def jobs(database: Database, clock: Clock) -> Jobs:
    return Jobs(database, now=clock)


def test_a_second_trigger_joins_the_open_job_and_both_are_audited(jobs: Jobs, database: Database) -> None:
    asked, new = jobs.ask("metal", Trigger.CLICK, ANNA)
    joined, again = jobs.ask("metal", Trigger.VERDICTS, Actor("system", "admin"))

    assert (new, again, joined.id) == (True, False, asked.id)
    assert (asked.state, asked.asked_by) == (JobState.QUEUED, "anna")
    assert [(deed.user, deed.action, deed.subject) for deed in Audit(database).deeds()] == [
        ("system", "retrain.join", asked.id),
        ("anna", "retrain.ask", asked.id),
    ]


def test_a_line_that_ended_one_may_have_another(jobs: Jobs, clock: Clock) -> None:
    first, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    jobs.cancel(first.id, ANNA)
    clock.passes(1)

    second, new = jobs.ask("metal", Trigger.CLICK, ANNA)

    assert new
    assert [(job.id, job.state) for job in jobs.jobs("metal")] == [(second.id, JobState.QUEUED), (first.id, JobState.CANCELLED)]


def test_nobody_retrains_a_line_that_there_is_not(jobs: Jobs) -> None:
    with pytest.raises(UnknownLineError, match="brass"):
        jobs.ask("brass", Trigger.CLICK, ANNA)
    with pytest.raises(UnknownJobError, match="brass-1"):
        jobs.job("brass-1")


def test_jobs_are_worked_on_in_the_order_they_were_asked_for(jobs: Jobs, clock: Clock) -> None:
    first, _ = jobs.ask("wood", Trigger.CLICK, ANNA)
    clock.passes(1)
    second, _ = jobs.ask("metal", Trigger.CLICK, ANNA)

    assert jobs.queued_before(second) == 1
    claimed = [jobs.claim("one", LEASE), jobs.claim("two", LEASE), jobs.claim("three", LEASE)]

    assert [job and job.id for job in claimed] == [first.id, second.id, None]


def test_of_many_who_claim_one_job_one_gets_it(jobs: Jobs) -> None:
    asked, _ = jobs.ask("metal", Trigger.CLICK, ANNA)

    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda number: jobs.claim(f"owner-{number}", LEASE), range(8)))

    assert [job.id for job in claimed if job is not None] == [asked.id]


def test_a_job_left_alone_is_taken_up_first_with_the_plan_that_was_settled(jobs: Jobs, clock: Clock) -> None:
    asked, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    jobs.claim("killed", LEASE)
    jobs.settle(asked.id, "killed", {"dataset": "d1"})
    jobs.ask("wood", Trigger.CLICK, ANNA)
    clock.passes(31)

    taken_up = jobs.claim("next", LEASE)

    assert taken_up is not None
    assert (taken_up.id, taken_up.attempts, taken_up.plan) == (asked.id, 2, {"dataset": "d1"})
    for late in (
        lambda: jobs.renew(asked.id, "killed", LEASE, {}),
        lambda: jobs.finish(asked.id, "killed", {}),
        lambda: jobs.settle(asked.id, "killed", {}),
    ):
        with pytest.raises(LostLeaseError):
            late()
    assert jobs.job(asked.id).state is JobState.RUNNING


def test_a_lease_that_is_renewed_is_nobody_elses(jobs: Jobs, clock: Clock) -> None:
    asked, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    jobs.claim("one", LEASE)
    for _ in range(5):
        clock.passes(20)
        assert jobs.renew(asked.id, "one", LEASE, {"stage": "detection", "step": 50}) is False

    assert jobs.claim("two", LEASE) is None
    assert jobs.job(asked.id).progress == {"stage": "detection", "step": 50}


def test_who_paused_past_the_lease_goes_on_while_nobody_took_the_job(jobs: Jobs, clock: Clock) -> None:
    asked, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    jobs.claim("slow", LEASE)
    clock.passes(300)

    assert jobs.renew(asked.id, "slow", LEASE, {}) is False
    assert jobs.claim("two", LEASE) is None


def test_a_job_ends_once_with_its_result_or_its_error(jobs: Jobs, clock: Clock) -> None:
    asked, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    jobs.claim("one", LEASE)
    clock.passes(5)
    jobs.finish(asked.id, "one", {"candidate": "abc"})

    ended = jobs.job(asked.id)
    assert (ended.state, ended.result, ended.ended_at) == (JobState.FINISHED, {"candidate": "abc"}, clock())
    with pytest.raises(LostLeaseError):
        jobs.fail(asked.id, "one", "too late")
    clock.passes(300)
    assert jobs.claim("two", LEASE) is None

    failing, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    jobs.claim("one", LEASE)
    jobs.fail(failing.id, "one", "no pictures")
    assert (jobs.job(failing.id).state, jobs.job(failing.id).error) == (JobState.FAILED, "no pictures")


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_when_its_worker_hears_of_it(jobs: Jobs, database: Database) -> None:
    queued, _ = jobs.ask("wood", Trigger.CLICK, ANNA)
    assert jobs.cancel(queued.id, ANNA).state is JobState.CANCELLED

    running, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    jobs.claim("one", LEASE)
    assert jobs.cancel(running.id, ANNA).state is JobState.RUNNING
    jobs.cancel(running.id, Actor("bob", "supervisor"))
    assert jobs.renew(running.id, "one", LEASE, {}) is True
    jobs.stop(running.id, "one")

    ended = jobs.job(running.id)
    assert (ended.state, ended.cancel_asked_by) == (JobState.CANCELLED, "anna")
    assert [deed.user for deed in Audit(database).deeds(action="retrain.cancel")] == ["anna", "anna"]
