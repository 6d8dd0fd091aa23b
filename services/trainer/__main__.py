"""`python -m services.trainer`: works on retrainings that were asked for, and asks for those that are due, until told to stop."""

import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from services.contract import settings as contract
from services.contract.logs import configure_logging
from services.contract.settings import Settings
from services.contract.stopping import stop_event
from services.records.answers import Answers
from services.records.database import Database
from services.records.jobs import Job, Jobs
from services.records.store import Records
from services.trainer.triggers import Triggers
from services.trainer.worker import Worker

log = logging.getLogger("services.trainer")

LOOK_FOR_DUE_S = 10.0


def main() -> int:
    configure_logging("trainer")
    stop = stop_event()
    try:
        run(contract.load(), stop)
    except contract.SettingsError as error:
        log.error("%s", error)
        return 1
    return 0


def run(settings: Settings, stop: threading.Event) -> None:
    database, records = Database(settings.records_url), Records(settings.records_url)
    jobs = Jobs(database)
    triggers = Triggers(settings.retraining, records, Answers(database), jobs)
    looking = threading.Thread(target=_look, args=(triggers, stop), name="triggers", daemon=True)
    looking.start()
    worker = Worker(jobs, settings.retraining_path, lambda job, folder: _drive(worker.owner, job, folder))
    worker.run(stop)
    looking.join()
    records.close()
    database.close()


def _drive(owner: str, job: Job, folder: Path) -> Sequence[str]:
    return (sys.executable, "-m", "services.trainer.drive", job.id, owner, str(folder))


def _look(triggers: Triggers, stop: threading.Event) -> None:
    while not stop.wait(LOOK_FOR_DUE_S):
        triggers.try_look()


if __name__ == "__main__":
    sys.exit(main())
