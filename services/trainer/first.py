"""A line's first training -> what came of it, by the plan that was frozen when somebody asked: pictures and groups, recipe, budget, seed."""

from functools import partial
from pathlib import Path
from typing import Any

from models.registry import Registry
from services.contract.settings import Settings
from services.records.jobs import Job
from services.trainer.teaching import teach
from training.dataset_version import PictureStore
from training.first import FirstTraining, first_training
from training.recipes import changed, recipe


def trained_first(settings: Settings, store: PictureStore, job: Job, folder: Path) -> dict[str, Any]:
    registry, plan = Registry(settings.models_path), job.plan
    lesson = changed(recipe(plan["recipe"]), budget=plan["budget"])
    work = FirstTraining(
        name=job.id,
        line=job.line,
        folder=folder,
        frames=plan["frames"],
        store=store,
        codec=registry.fetch(plan["codec"]),
        recipe=lesson,
        seed=plan["seed"],
        review_rate=plan["review_rate"],
        fail_rate=plan["fail_rate"],
    )
    return first_training(work, registry, partial(teach, settings, job.id, folder, lesson))
