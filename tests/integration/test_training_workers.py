"""Ray Train around the plain loop: two workers learn as one, and a training goes on when one of them is killed."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

from infra.embedded.ray import RayNode
from tests.networks import TINY, write_stripes
from training.distributed import Workers, train_on
from training.loop import TrainingError
from training.recipes import Recipe, StageRecipe, smoke
from training.stages import Means, train_codec, train_detector

PATIENCE_S = 120
SHORT = StageRecipe(8, 4, 1e-3, warm_up=2, checks=2)
RECIPE = replace(smoke(), config=TINY, side=64, crop=32, codec=StageRecipe(60, 8, 1e-3, checks=2), objects=SHORT, detection=SHORT, upsampling=SHORT)


@pytest.fixture(scope="module", autouse=True)
def _connected(ray_cluster: RayNode) -> Iterator[None]:
    import ray  # reads the cluster's token

    ray.init(address=ray_cluster.address, ignore_reinit_error=True, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stripes(tmp_path_factory.mktemp("pictures"), 24)


def codec_work(pictures: Path, recipe: Recipe, out: Path) -> Callable[..., Path]:
    return partial(train_codec, [pictures], recipe, out)


def test_two_workers_learn_the_same_from_different_pictures(pictures: Path, tmp_path: Path) -> None:
    def learn(means: Means) -> None:
        """A closure travels to the workers by value: they cannot import this module."""
        from models.dsr import DSR
        from models.preprocessing import Preprocessing
        from training.codec import CodecStage
        from training.data import read_crops
        from training.loop import Run, train

        torch.manual_seed(0)
        stage = CodecStage(DSR(recipe.config).codec, read_crops([pictures], Preprocessing(64), crop=32), recipe, seed=0, team=means.team)
        report = train(stage, recipe.codec, Run(out, 0, "same", team=means.team))
        weights = torch.cat([tensor.flatten().double() for tensor in stage.state().values()])
        (out / f"rank-{means.team.rank}.json").write_text(json.dumps([weights.sum().item(), weights.square().sum().item(), report.losses["reconstruction"]]))

    recipe, out = RECIPE, tmp_path

    train_on(Workers(2), learn, name="same", storage=tmp_path / "ray")

    first, second = (json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2))
    assert first[:2] == second[:2]  # the same weights
    assert first[2] != second[2]  # of other pictures


def test_two_workers_make_a_codec_and_a_detector(pictures: Path, tmp_path: Path) -> None:
    train_on(Workers(2), codec_work(pictures, RECIPE, tmp_path / "codec"), name="codec", storage=tmp_path / "ray")
    detector = partial(train_detector, [pictures], RECIPE, tmp_path / "detector", start=tmp_path / "codec", name="detector")
    train_on(Workers(2), detector, name="detector", storage=tmp_path / "ray")

    stages = json.loads((tmp_path / "detector" / "card.json").read_text())["stages"]
    assert {name: stage["steps"] for name, stage in stages.items()} == {"objects": 8, "detection": 8, "upsampling": 8}


def test_a_training_goes_on_when_a_worker_is_killed(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, codec=StageRecipe(420, 8, 1e-3, checks=2))
    killed: list[int] = []
    killer = threading.Thread(target=kill_a_worker_once_there, args=(tmp_path / ".codec.training" / "codec.pt", killed))
    killer.start()

    train_on(Workers(2), codec_work(pictures, recipe, tmp_path / "codec"), name="killed", storage=tmp_path / "ray")

    killer.join(PATIENCE_S)
    assert len(killed) == 1
    assert json.loads((tmp_path / "codec" / "card.json").read_text())["stages"]["codec"]["steps"] == 420


def kill_a_worker_once_there(checkpoint: Path, killed: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not checkpoint.is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    worker = next(process for process in psutil.process_iter() if "RayTrainWorker" in process.name() or "RayTrainWorker" in " ".join(process.cmdline()))
    worker.send_signal(signal.SIGKILL)
    killed.append(worker.pid)


def test_what_no_restart_can_mend_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="expected a folder, got"):
        train_on(Workers(2, max_failures=0), codec_work(tmp_path / "nowhere", RECIPE, tmp_path / "codec"), name="nowhere", storage=tmp_path / "ray")
