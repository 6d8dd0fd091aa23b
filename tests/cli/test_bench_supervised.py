"""The supervised experiment: what teaches is never measured, a larger number has the smaller one's defects, and a stopped run goes on."""

import json
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
from services.cli.measuring import supervised
from services.cli.measuring.supervised import Trial, drawn, measure, split_of
from tests.networks import TINY
from training.data import DataError
from training.groups import group_of
from training.recipes import Recipe, StageRecipe, taught


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
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


def test_no_group_both_teaches_and_is_measured(product: Path):
    split = split_of(product)

    assert split.teaching.keys().isdisjoint({group_of(path) for path in split.held_out})
    assert {path.parent.name for path in split.held_out} == {"good", "pit"}


def test_a_larger_number_adds_to_the_smaller_ones_defects(product: Path):
    split = split_of(product)

    few, many = drawn(split, 2, seed=1), drawn(split, 5, seed=1)

    assert many[:2] == few
    assert len({group_of(path) for path in many}) == 5
    assert few != drawn(split, 2, seed=2)


def test_each_number_is_measured_beside_the_base_and_the_control(trial: Trial):
    report = measure(trial, [2], seeds=2)

    assert [(row["defects"], row["seeds"]) for row in (report["control"], *report["rows"])] == [(0, 2), (2, 2)]
    assert all(0 <= report[part]["pixel_ap"] <= 1 for part in ("base", "control"))
    assert report["rows"][0]["pixel_ap_spread"] >= 0
    assert set(report["rows"][0]["rise_beyond_spread"]) == {"pixel_ap", "image_ap", "image_auroc"}
    assert sorted(path.name for path in trial.out.iterdir()) == ["runs.json"]


def test_a_stopped_experiment_goes_on_where_it_was(trial: Trial, monkeypatch: pytest.MonkeyPatch):
    first = measure(trial, [2], seeds=1)
    monkeypatch.setattr(supervised, "train_detector", lambda *_, **__: pytest.fail("trained again"))

    assert measure(trial, [2], seeds=1) == first
    assert len(json.loads((trial.out / "runs.json").read_text())["runs"]) == 3


def test_more_defects_than_groups_are_refused(trial: Trial):
    with pytest.raises(DataError, match="one of each group that may teach, got 50"):
        measure(trial, [50], seeds=1)


def test_results_of_another_recipe_are_not_mixed_in(trial: Trial):
    measure(trial, [1], seeds=1)

    with pytest.raises(DataError, match="another base or recipe"):
        measure(replace(trial, recipe=replace(trial.recipe, defects=0.5)), [1], seeds=1)
