"""A training of any kind -> done on the workers of the stack's Ray, with its progress beside it and its losses in MLflow."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from services.contract.settings import Settings
from services.trainer.progress import Progress
from training.recipes import Recipe
from training.tracking import Tracker, mlflow_tracker


def teach(settings: Settings, name: str, folder: Path, lesson: Recipe, work: Callable[..., object]) -> None:
    """They wait in Ray's queue where nothing is free, so inspection is never starved."""
    import ray

    from training.distributed import Workers, train_on

    ray.init(address=settings.ray_address, log_to_driver=True)
    workers = Workers(settings.retraining.workers, use_gpu=settings.retraining.use_gpu, resources={"CPU": 1.0, "training": 1.0})
    track = partial(_tracked, settings.mlflow_uri, settings.mlflow_artifacts, folder, lesson)
    train_on(workers, work, name=name, storage=folder / "ray", track=track)


def _tracked(uri: str, artifacts: str | None, folder: Path, lesson: Recipe, name: str, run_folder: Path, facts: Mapping[str, Any]) -> Tracker:
    return Progress(folder, lesson, mlflow_tracker(uri, artifacts, name, run_folder, facts))
