"""A product of twenty tiles with two defective pictures each, and a tiny detector that learns on: fixtures for benchmarks of learning."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.checkpoint import Version, save
from models.dsr import DSR
from models.preprocessing import Preprocessing
from services.cli.measuring.supervised import Trial
from tests.networks import TINY
from training.recipes import Recipe, StageRecipe, taught


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty tiles with two defective pictures each, and good ones."""
    folder = tmp_path_factory.mktemp("data") / "tile"
    dice = np.random.default_rng(0)
    rows = ["image,group"]
    for place, count in (("train/good", 30), ("test/good", 10), ("test/pit", 40)):
        (folder / place).mkdir(parents=True)
        for index in range(count):
            pixels = dice.integers(90, 110, (64, 64, 3), dtype=np.uint8)
            if place == "test/pit":
                pixels[20:40, 20:40] = 10
            cv2.imwrite(str(folder / place / f"{index:02}.png"), pixels)
            rows.append(f"{place}/{index:02}.png,{place.replace('/', '-')}-{index // 2 if place == 'test/pit' else index}")
    (folder / "groups.csv").write_text("\n".join(rows))
    (folder / "ground_truth" / "pit").mkdir(parents=True)
    for index in range(40):
        cv2.imwrite(str(folder / "ground_truth" / "pit" / f"{index:02}_mask.png"), np.pad(np.full((20, 20), 255, np.uint8), ((20, 24), (20, 24))))
    return folder


@pytest.fixture
def trial(product: Path, tmp_path: Path) -> Trial:
    def stage(steps: int) -> StageRecipe:
        return StageRecipe(steps, 2, 1e-3, warm_up=1, checks=0, keep="last")

    torch.manual_seed(0)
    save(tmp_path / "base", DSR(TINY), Version(TINY, Preprocessing(side=64), 5, ("codec", "detection", "upsampling")), card={"name": "base"})
    recipe: Recipe = replace(taught(), config=TINY, side=64, objects=stage(0), detection=stage(2), upsampling=stage(1))
    return Trial(product, tmp_path / "base", recipe, tmp_path / "out")
