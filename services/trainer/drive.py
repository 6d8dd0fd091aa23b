"""`python -m services.trainer.drive JOB OWNER FOLDER`: one job from its plan to its outcome, in a process that may be killed at any step.

Exit status 0 leaves outcome.json in the folder, 1 leaves error.txt with what a person can mend; anything else is a mistake of ours.
"""

import logging
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from models.registry import Registry, RegistryError
from services.contract import settings as contract
from services.contract.logs import configure_logging
from services.contract.priority import step_back_as_session
from services.contract.settings import Settings
from services.records.database import Database
from services.records.errors import RecordsError
from services.records.jobs import Job, JobKind, Jobs
from services.records.store import Records
from services.trainer.backtest import backtested
from services.trainer.child import end_with_parent
from services.trainer.first import trained_first
from services.trainer.teaching import teach
from training.gate_rule import Rule
from training.job_files import ERROR, OUTCOME, write_json
from training.line_datasets import LineDatasets
from training.recipes import changed, recipe
from training.retrain import Retraining, retrain

log = logging.getLogger("services.trainer")


class PlanError(ValueError):
    """A job that cannot be begun as things are."""


def main() -> int:
    configure_logging("trainer")
    end_with_parent()
    step_back_as_session()
    job, owner, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    try:
        write_json(folder / OUTCOME, drive(contract.load(), job, owner, folder))
    except (ValueError, RegistryError, RecordsError, OSError) as error:
        log.error("%s", error)
        (folder / ERROR).write_text(str(error))
        return 1
    return 0


def drive(settings: Settings, job_id: str, owner: str, folder: Path) -> dict[str, Any]:
    """What came of a job; its plan is settled where nobody has."""
    database, records = Database(settings.records_url), Records(settings.records_url)
    jobs, datasets = Jobs(database), LineDatasets.of(settings, database, records)
    job = jobs.job(job_id)
    match job.kind:
        case JobKind.RETRAIN:
            plan = job.plan or _planned(settings, records, datasets, job)
            if not job.plan:
                jobs.settle(job.id, owner, plan)
            return _retrained(settings, datasets, job, plan, folder)
        case JobKind.FIRST:
            return trained_first(settings, datasets.pictures, job, folder)
        case JobKind.BACKTEST:
            return backtested(settings, job, folder)


def _retrained(settings: Settings, datasets: LineDatasets, job: Job, plan: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    registry = Registry(settings.models_path)
    champion = registry.fetch(plan["champion"])
    lesson = changed(recipe(plan["recipe"]), side=champion.preprocessing.side, budget=plan["budget"])
    work = Retraining(
        name=job.id,
        line=job.line,
        folder=folder,
        champion=champion,
        review=plan["review"],
        dataset=datasets.all.fetch(plan["dataset"]),
        store=datasets.pictures,
        recipe=lesson,
        rule=Rule(**plan["rule"]),
        review_rate=plan["review_rate"],
        fail_rate=plan["fail_rate"],
    )
    return retrain(work, registry, partial(teach, settings, job.id, folder, lesson))


def _planned(settings: Settings, records: Records, datasets: LineDatasets, job: Job) -> dict[str, Any]:
    """What the job goes by from now on, however often it is taken up again."""
    active = records.active(job.line)
    if active.model_version is None or active.calibration is None:
        raise PlanError(f"line {job.line}: expected a model that judges it, got none; `loupe line add --model` gives it one")
    retraining = settings.retraining
    return {
        "dataset": datasets.build(job.line).id,
        "champion": active.model_version,
        "review": active.calibration.review,
        "recipe": retraining.recipe,
        "budget": retraining.budget,
        "rule": retraining.gate.model_dump(),
        "review_rate": retraining.review_rate,
        "fail_rate": retraining.fail_rate,
    }


if __name__ == "__main__":
    sys.exit(main())
