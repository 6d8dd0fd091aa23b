"""What a training reports to, wherever its first worker runs."""

import pickle
from pathlib import Path

import pytest

from services.cli.train import tracking
from services.contract.settings import Settings


def test_a_worker_tracks_where_the_command_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers have a working folder of their own, and not the environment of the command."""
    pytest.importorskip("mlflow")
    (tmp_path / "worker").mkdir()
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(tracking(Settings(home=Path("home"))))

    monkeypatch.chdir(tmp_path / "worker")
    pickle.loads(sent)("codec", tmp_path / ".codec.training", {"seed": 0})

    assert (tmp_path / "home" / "mlflow.sqlite").is_file()
    assert (tmp_path / ".codec.training" / "mlflow-run").is_file()
    assert not list((tmp_path / "worker").iterdir())
