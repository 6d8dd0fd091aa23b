"""Jobs -> what came of them, one at a time: a process of its own works on each, and its lease is kept here.

Killed with its child, a worker leaves a job whose lease ends; the next one takes it up under the same id, and its training goes on at the
last checkpoint. A child that was killed alone is started again.
"""

import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from services.records.errors import LostLeaseError, RecordsError
from services.records.jobs import Job, Jobs
from services.trainer.child import Child
from training.job_files import ERROR, LOG, OUTCOME, PROGRESS, read_json

log = logging.getLogger(__name__)

LAST_WORDS = 2000
"""Characters of its log that a failed job keeps."""
MOST_KILLED = 3
"""So often may a child be killed before its job fails: something on the machine ends it."""


@dataclass(frozen=True, slots=True)
class Times:
    lease: timedelta = timedelta(seconds=30)
    beat_s: float = 2.0
    """Between two looks at a child; far less than the lease."""
    look_s: float = 2.0
    """Between two looks for a job."""


@dataclass(slots=True)
class Worker:
    """`command` makes the child's command line of a job and its folder below `root`."""

    jobs: Jobs
    root: Path
    command: Callable[[Job, Path], Sequence[str]]
    times: Times = field(default_factory=Times)
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

    def run(self, stop: threading.Event) -> None:
        """Until told to stop. A job in hand is then left to its lease."""
        while not stop.is_set():
            try:
                job = self.jobs.claim(self.owner, self.times.lease)
            except RecordsError as error:
                log.warning("no jobs: %s", error)
                job = None
            if job is None:
                stop.wait(self.times.look_s)
            else:
                self.work(job, stop)

    def work(self, job: Job, stop: threading.Event) -> None:
        """Until the job has ended, is somebody else's, or we are told to stop."""
        folder = self.root / job.id
        log.info("job %s: %s", job.id, "begun" if job.attempts == 1 else f"taken up again, attempt {job.attempts}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for killed in range(1, MOST_KILLED + 1):
                code = self._watched(job, folder, stop)
                if code is None or code >= 0:
                    break
                log.warning("job %s: its process was ended by signal %d, the %d. time", job.id, -code, killed)
            if code is not None:
                self._end(job, folder, code)
        except LostLeaseError as error:
            log.warning("%s", error)
        except OSError as error:
            self.jobs.fail(job.id, self.owner, f"{folder}: {error}")

    def _watched(self, job: Job, folder: Path, stop: threading.Event) -> int | None:
        """The child's exit status; None where nothing is left to do here."""
        child = Child(self.command(job, folder), folder / LOG)
        try:
            while (code := child.ended(self.times.beat_s)) is None:
                if stop.is_set():
                    return None
                if self._cancelled(job, folder):
                    child.end()
                    self.jobs.stop(job.id, self.owner)
                    shutil.rmtree(folder, ignore_errors=True)
                    log.info("job %s: cancelled", job.id)
                    return None
            return code
        finally:
            child.end()

    def _cancelled(self, job: Job, folder: Path) -> bool:
        """Renews the lease. Records that do not answer are asked again: meanwhile the child goes on."""
        try:
            return self.jobs.renew(job.id, self.owner, self.times.lease, read_json(folder / PROGRESS))
        except LostLeaseError:
            raise
        except RecordsError as error:
            log.warning("job %s: %s", job.id, error)
            return False

    def _end(self, job: Job, folder: Path, code: int) -> None:
        if code == 0:
            self.jobs.finish(job.id, self.owner, read_json(folder / OUTCOME))
            log.info("job %s: finished", job.id)
            return
        error = _said(folder, code)
        self.jobs.fail(job.id, self.owner, error)
        log.warning("job %s: failed, %s", job.id, error)


def _said(folder: Path, code: int) -> str:
    if code < 0:
        return f"its process was ended {MOST_KILLED} times, the last by signal {-code}: look for what ends it, memory above all"
    said = folder / ERROR
    return said.read_text() if said.is_file() else f"its process ended with {code}: {_tail(folder / LOG)}"


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-LAST_WORDS:].strip()
