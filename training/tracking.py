"""A training's numbers and pictures -> MLflow, or nowhere.

MLflow is imported on first use: it takes seconds, and whoever does not track must not wait for it. A run that is resumed goes on
under its first id, which stands beside its checkpoints.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import cv2
import numpy as np
from torch import Tensor

log = logging.getLogger(__name__)

EXPERIMENT = "loupe"
RUN_FILE = "mlflow-run"


class Tracker(Protocol):
    """Where a training reports to. Never raises once it is made: a training does not end because nobody listens."""

    def values(self, stage: str, step: int, values: Mapping[str, float]) -> None: ...

    def picture(self, stage: str, step: int, picture: Tensor) -> None:
        """(3, H, W) in 0..1, BGR."""

    def finish(self, card: Mapping[str, Any]) -> None: ...


class Silent:
    """Reports to nobody."""

    def values(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        pass

    def picture(self, stage: str, step: int, picture: Tensor) -> None:
        pass

    def finish(self, card: Mapping[str, Any]) -> None:
        pass


SILENT = Silent()


class MLflowTracker:
    """One run of the experiment `loupe`."""

    def __init__(self, uri: str, artifacts: str | None, *, name: str, folder: Path, facts: Mapping[str, Any]) -> None:
        """`folder` is the run's own; `facts` become its parameters. Raises what MLflow raises for an address that does not answer."""
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(uri)
        marker = folder / RUN_FILE
        if marker.is_file():
            self._run_id = marker.read_text().strip()
            self._client.set_terminated(self._run_id, "RUNNING")
            return
        self._run_id = self._client.create_run(_experiment(self._client, artifacts), run_name=name).info.run_id
        for fact, value in facts.items():
            self._client.log_param(self._run_id, fact, str(value)[:500])
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(self._run_id)

    def values(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._try("log_metric", f"{stage}.{name}", value, step=step)

    def picture(self, stage: str, step: int, picture: Tensor) -> None:
        pixels = np.ascontiguousarray((picture.detach().clamp(0, 1) * 255).byte().permute(1, 2, 0).cpu().numpy())
        with TemporaryDirectory() as place:
            path = Path(place) / f"{stage}-{step:06d}.png"
            cv2.imwrite(str(path), pixels)
            self._try("log_artifact", str(path), "samples")

    def finish(self, card: Mapping[str, Any]) -> None:
        self._try("log_dict", dict(card), "card.json")
        self._try("set_terminated")

    def _try(self, method: str, *arguments: Any, **options: Any) -> None:
        try:
            getattr(self._client, method)(self._run_id, *arguments, **options)
        except Exception as error:  # a database that is locked or away, a disk that is full: the training goes on
            log.warning("mlflow: %s was not recorded: %s", method, error)


def mlflow_tracker(uri: str, artifacts: str | None, name: str, folder: Path, facts: Mapping[str, Any]) -> Tracker:
    """MLflow where it answers; a training does not wait for it."""
    try:
        return MLflowTracker(uri, artifacts, name=name, folder=folder, facts=facts)
    except Exception as error:  # whatever a client of MLflow may raise: not installed, no server, a locked file
        log.warning("not tracked, %s: %s", uri, error)
        return SILENT


def _experiment(client: Any, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    return str(found.experiment_id if found is not None else client.create_experiment(EXPERIMENT, artifact_location=artifacts))
