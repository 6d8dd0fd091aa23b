"""A worker and its child, a real process: what becomes of a job when either ends, is killed, or is asked to stop."""

import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from services.records.audit import Actor
from services.records.database import Database
from services.records.jobs import Job, Jobs, JobState, Trigger
from services.records.store import Records
from services.trainer.child import Child
from services.trainer.worker import Times, Worker
from tests.databases import with_tables
from training.job_files import OUTCOME, PROGRESS, read_json, write_json

ANNA = Actor("anna", "supervisor")
QUICK = Times(lease=timedelta(seconds=30), beat_s=0.02, look_s=0.02)
WAITS = "import time\nwhile True: time.sleep(0.02)"


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    url = with_tables(f"sqlite:///{tmp_path / 'records.sqlite'}")
    records = Records(url)
    records.add_line("metal")
    records.close()
    database = Database(url)
    yield Jobs(database)
    database.close()


def worker(jobs: Jobs, root: Path, script: str, owner: str = "one") -> Worker:
    """`script` runs in the job's folder, with `folder` and `write` at hand."""
    prelude = """
        import os, sys, signal, json, pathlib
        from services.trainer.child import end_with_parent
        from training.job_files import write_json
        end_with_parent()
        folder = pathlib.Path(sys.argv[1])
        (folder / "pids").open("a").write(f"{os.getpid()}\\n")
    """

    def command(job: Job, folder: Path) -> Sequence[str]:
        return (sys.executable, "-c", textwrap.dedent(prelude) + script, str(folder))

    return Worker(jobs, root, command, QUICK, owner)


@contextmanager
def working(one: Worker) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=one.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


def wait_for(condition: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def pids(root: Path, job: Job) -> list[int]:
    path = root / job.id / "pids"
    return [int(line) for line in path.read_text().split()] if path.is_file() else []


def ended(jobs: Jobs, job: Job) -> Job:
    wait_for(lambda: not jobs.job(job.id).state.open)
    return jobs.job(job.id)


def test_what_a_child_leaves_is_the_jobs_result_and_its_progress_is_told_meanwhile(jobs: Jobs, tmp_path: Path) -> None:
    job, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    script = f"""
write_json(folder / "{PROGRESS}", {{"stage": "detection", "step": 10}})
import time
while not (folder / "go").exists(): time.sleep(0.01)
write_json(folder / "{OUTCOME}", {{"candidate": "abc"}})
"""
    with working(worker(jobs, tmp_path, script)):
        wait_for(lambda: jobs.job(job.id).progress == {"stage": "detection", "step": 10})
        (tmp_path / job.id / "go").touch()
        found = ended(jobs, job)

    assert (found.state, found.result, found.attempts) == (JobState.FINISHED, {"candidate": "abc"}, 1)


def test_what_a_person_can_mend_is_said_and_anything_else_is_the_end_of_the_log(jobs: Jobs, tmp_path: Path) -> None:
    job, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    with working(worker(jobs, tmp_path, '(folder / "error.txt").write_text("too few pictures"); sys.exit(1)')):
        assert (ended(jobs, job).state, jobs.job(job.id).error) == (JobState.FAILED, "too few pictures")

    other, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    with working(worker(jobs, tmp_path, "raise RuntimeError('a mistake')")):
        error = ended(jobs, other).error
    assert error is not None
    assert error.startswith("its process ended with 1:")
    assert error.endswith("RuntimeError: a mistake")


def test_a_child_that_is_killed_is_started_again(jobs: Jobs, tmp_path: Path) -> None:
    job, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    script = f"""
if len((folder / "pids").read_text().split()) == 2:
    write_json(folder / "{OUTCOME}", {{"candidate": "abc"}})
    sys.exit(0)
{WAITS}
"""
    with working(worker(jobs, tmp_path, script)):
        wait_for(lambda: len(pids(tmp_path, job)) == 1)
        os.kill(pids(tmp_path, job)[0], signal.SIGKILL)
        found = ended(jobs, job)

    assert (found.state, len(pids(tmp_path, job))) == (JobState.FINISHED, 2)


def test_a_child_that_is_always_killed_fails_its_job(jobs: Jobs, tmp_path: Path) -> None:
    job, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    with working(worker(jobs, tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")):
        found = ended(jobs, job)

    assert (found.state, len(pids(tmp_path, job))) == (JobState.FAILED, 3)
    assert found.error is not None
    assert "signal 9" in found.error


def test_a_cancelled_job_ends_with_its_child_and_leaves_no_folder(jobs: Jobs, tmp_path: Path) -> None:
    job, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    with working(worker(jobs, tmp_path, WAITS)):
        wait_for(lambda: bool(pids(tmp_path, job)))
        child = psutil.Process(pids(tmp_path, job)[0])
        jobs.cancel(job.id, ANNA)
        found = ended(jobs, job)
        wait_for(lambda: not child.is_running())
        wait_for(lambda: not (tmp_path / job.id).exists())

    assert found.state is JobState.CANCELLED


def test_a_worker_that_is_told_to_stop_leaves_the_job_to_the_next(jobs: Jobs, tmp_path: Path) -> None:
    job, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    with working(worker(jobs, tmp_path, WAITS)):
        wait_for(lambda: bool(pids(tmp_path, job)))
    assert not psutil.pid_exists(pids(tmp_path, job)[0])
    assert jobs.job(job.id).state is JobState.RUNNING

    later = Jobs(jobs._database, now=lambda: jobs._now() + timedelta(minutes=1))
    with working(worker(later, tmp_path, f'write_json(folder / "{OUTCOME}", {{}})', owner="two")):
        found = ended(jobs, job)

    assert (found.state, found.attempts) == (JobState.FINISHED, 2)


def test_a_worker_whose_job_was_taken_ends_its_child_and_says_nothing(jobs: Jobs, tmp_path: Path) -> None:
    job, _ = jobs.ask("metal", Trigger.CLICK, ANNA)
    later = Jobs(jobs._database, now=lambda: jobs._now() + timedelta(minutes=1))
    with working(worker(jobs, tmp_path, WAITS)):
        wait_for(lambda: bool(pids(tmp_path, job)))
        child = psutil.Process(pids(tmp_path, job)[0])
        taken = None
        while taken is None:  # a beat of the first one may come between
            taken = later.claim("two", QUICK.lease)
        wait_for(lambda: not child.is_running())
        later.renew(job.id, "two", timedelta(hours=1), {})

    assert jobs.job(job.id).state is JobState.RUNNING


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    inner = f"""
import os, pathlib
from services.trainer.child import end_with_parent
end_with_parent()
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
{WAITS}
"""
    outer = f"""
import sys, pathlib
from services.trainer.child import Child
child = Child((sys.executable, "-c", {inner!r}), pathlib.Path({str(tmp_path / "log")!r}))
child.ended(600)
"""
    parent = Child((sys.executable, "-c", outer), tmp_path / "outer.log")
    path = tmp_path / "pid"
    wait_for(lambda: path.is_file() and bool(path.read_text()))
    child = psutil.Process(int(path.read_text()))

    os.kill(parent.pid, signal.SIGKILL)

    wait_for(lambda: _gone(child))
    parent.end()


def test_half_written_progress_is_never_read(tmp_path: Path) -> None:
    (tmp_path / PROGRESS).write_text('{"stage": "det')
    assert read_json(tmp_path / PROGRESS) == {}
    write_json(tmp_path / PROGRESS, {"stage": "detection"})
    assert read_json(tmp_path / PROGRESS) == {"stage": "detection"}
    assert [path.name for path in tmp_path.iterdir()] == [PROGRESS]


def _gone(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True
