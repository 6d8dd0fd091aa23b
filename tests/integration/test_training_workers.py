"""A training on two workers of a real Ray: they learn as one, and it outlives one of them. That it outlives its driver, `test_retraining.py` shows."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from infra.embedded.ray import RayNode
from tests.networks import write_stripes
from tests.training_on_ray import Driver, Job, driving, tiny, training_workers
from training.loop import TrainingError
from training.rendezvous import interface_of
from training.stages import train_codec

TOLERANCE = 1e-5
"""Of the way that the weights went: sums of two halves round differently from sums of the whole (6e-7 measured)."""


@pytest.fixture(scope="module")
def driver(ray_cluster: RayNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with driving(ray_cluster, tmp_path_factory.mktemp("driver")) as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As a worker has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stripes(tmp_path_factory.mktemp("pictures"), 24)


@pytest.fixture(scope="module")
def codec(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_codec([pictures], tiny(), tmp_path_factory.mktemp("codec") / "codec")


def write_rings(folder: Path, number: int) -> Path:
    """Grey pictures that look alike however they are turned, flipped or made grey: a crop of all of one is the same whoever draws it."""
    folder.mkdir()
    rows, columns = np.mgrid[:64, :64] - 31.5
    radius = np.hypot(rows, columns)
    for index in range(number):
        ring = (128 + 90 * np.sin(radius / (2 + index / 8) + index)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{index:02}.png"), np.dstack([ring] * 3))
    return folder


def listening(process: psutil.Process) -> set[str]:
    return {socket.laddr.ip for socket in process.net_connections("tcp") if socket.status == psutil.CONN_LISTEN}


def weights(version: Path) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in load_file(version / "weights.safetensors").values()])


def test_two_workers_learn_the_weights_that_one_process_learns(driver: Driver, codec: Path, tmp_path: Path) -> None:
    """From a codec, and for fewer steps than codes are left without a feature: random features would be each worker's own."""
    rings = write_rings(tmp_path / "rings", 20)
    shared = Job(tmp_path / "shared", rings, steps=20, crop=64, start=codec)
    alone = Job(tmp_path / "alone", rings, steps=20, crop=64, start=codec)

    driver.start(shared)
    alone.learn()
    driver.finished()

    before, of_one, of_two = (weights(folder) for folder in (codec, alone.out, shared.out))
    assert (of_two - of_one).norm() < TOLERANCE * (of_one - before).norm()


def test_a_training_goes_on_at_its_checkpoint_when_a_worker_is_killed(driver: Driver, ray_cluster: RayNode, pictures: Path, tmp_path: Path) -> None:
    job = Job(tmp_path / "killed", pictures, steps=240)
    job.folder.mkdir()
    job.hold(220).touch()
    driver.start(job)
    driver.wait_until(lambda: bool(job.tracked()) and job.tracked()[-1][1] == 220, "step 220")
    assert job.checkpoint.is_file()
    first = job.tracked()[-1][0]
    workers = {process.pid: process for process in training_workers(ray_cluster)}
    assert len(workers) == 2
    assert {address for one in workers.values() for address in listening(one)} <= {"127.0.0.1", "::ffff:127.0.0.1"}

    workers.pop(first)
    workers.popitem()[1].kill()
    job.hold(220).unlink()
    driver.finished()

    steps = [step for _, step in job.tracked()]
    assert steps[:22] == list(range(10, 230, 10))
    assert steps[-4:] == [210, 220, 230, 240]  # from the checkpoint at 200 on, some of them again
    assert len(steps) == 26
    assert len({worker for worker, _ in job.tracked()}) == 2  # others than before
    assert (job.out / "weights.safetensors").is_file()


def test_an_address_that_the_machine_does_not_have_is_named() -> None:
    assert interface_of("127.0.0.1").startswith("lo")
    with pytest.raises(TrainingError, match=r"as 203\.0\.113\.9, which none .* --node-ip-address"):
        interface_of("203.0.113.9")
