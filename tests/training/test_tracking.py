"""A training reported to a real MLflow store."""

from pathlib import Path

import pytest
import torch

from training.tracking import EXPERIMENT, MLflowTracker

mlflow_tracking = pytest.importorskip("mlflow.tracking")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.sqlite"


def tracker(uri: str, folder: Path) -> MLflowTracker:
    return MLflowTracker(uri, f"file://{folder}/artifacts", name="bracket", folder=folder / "training", facts={"seed": 7})


def runs(uri: str) -> list:
    client = mlflow_tracking.MlflowClient(uri)
    return client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])


def test_losses_samples_and_the_card_are_recorded_under_one_run(uri: str, tmp_path: Path) -> None:
    tracking = tracker(uri, tmp_path)

    tracking.values("detection", 10, {"focal": 0.5})
    tracking.values("detection", 20, {"focal": 0.25})
    tracking.picture("detection", 20, torch.rand(3, 8, 16))
    tracking.finish({"name": "bracket"})

    (run,) = runs(uri)
    client = mlflow_tracking.MlflowClient(uri)
    assert (run.info.run_name, run.data.params["seed"], run.info.status) == ("bracket", "7", "FINISHED")
    assert [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "detection.focal")] == [(10, 0.5), (20, 0.25)]
    assert [file.path for file in client.list_artifacts(run.info.run_id, "samples")] == ["samples/detection-000020.png"]


def test_a_resumed_training_goes_on_under_its_first_run(uri: str, tmp_path: Path) -> None:
    before = len(runs(uri))

    for step in (1, 2):
        tracker(uri, tmp_path).values("codec", step, {"total": 1.0})

    assert len(runs(uri)) == before + 1


def test_a_store_that_goes_away_does_not_end_a_training(uri: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tracking = tracker(uri, tmp_path)
    mlflow_tracking.MlflowClient(uri).delete_run((tmp_path / "training" / "mlflow-run").read_text())

    tracking.values("codec", 1, {"total": 1.0})

    assert "was not recorded" in caplog.text
