"""Good frames become a line's first model with thresholds of its own, from parts that taught it nothing; one that was killed goes on."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.engine import Engine, check_golden
from models.registry import ModelVersion, Registry, read_version
from services.contract.names import FrameId
from tests.networks import TINY, striped, write_stripes
from tests.training.dataset_makers import MemoryPictures, surface
from training.data import DataError
from training.first import FirstTraining, first_training
from training.first_groups import MOST_PICTURES, group_of_frame, in_groups
from training.mvtec_export import CALIBRATION
from training.recipes import StageRecipe, smoke
from training.stages import ON_OUR_OWN, train_codec

STAGE = StageRecipe(4, 4, 1e-3, warm_up=1, checks=1, keep="last")
RECIPE = replace(
    smoke(), config=TINY, side=64, crop=32, codec=StageRecipe(40, 8, 2e-3, warm_up=2), objects=replace(STAGE, steps=2), detection=STAGE, upsampling=STAGE
)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelVersion]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("codec")
    parts = write_stripes(folder / "stripes" / "train" / "good", 20).parents[1]
    yield read_version(train_codec([parts], RECIPE, folder / "codec"))
    torch.set_num_threads(threads)


def first(folder: Path, store: MemoryPictures, codec: ModelVersion, *, parts: int = 24) -> FirstTraining:
    """Two pictures of each part, in other light."""
    frames = {f"wood/part/{part}": [stored(store, 2 * part), stored(store, 2 * part + 1)] for part in range(parts)}
    return FirstTraining("wood-1", "wood", folder / "wood-1", frames, store, codec, RECIPE)


def stored(store: MemoryPictures, seed: int) -> str:
    return store.put("frames", bytes(cv2.imencode(".png", surface(seed // 2, darker=9 * (seed % 2), side=64))[1]))


def here(work: object) -> None:
    work(means=ON_OUR_OWN)  # type: ignore[operator]


def groups_in(product: Path) -> set[str]:
    with (product / "groups.csv").open(newline="") as file:
        return {row["group"] for row in csv.DictReader(file)}


def test_a_first_model_says_where_it_comes_from_and_what_its_thresholds_promise(codec: ModelVersion, store: MemoryPictures, tmp_path: Path) -> None:
    work, registry = first(tmp_path, store, codec), Registry(tmp_path / "models")

    outcome = first_training(work, registry, here)

    version = registry.fetch(outcome["candidate"])
    assert {name: version.card[name] for name in ("line", "first_training", "name", "recipe")} == {
        "line": "wood",
        "first_training": "wood-1",
        "name": "wood",
        "recipe": "smoke",
    }
    assert version.card["frames"]["pictures"] == 48
    assert outcome["teaching"] + outcome["calibrating"] == 48
    assert version.suggested_calibration("wood") == outcome["calibration"]
    assert outcome["calibration"]["groups"] == len(groups_in(work.folder / "pictures" / CALIBRATION))
    check_golden(Engine.load(version.path), version.path)
    json.dumps(outcome)  # as it is kept


def test_no_part_both_teaches_and_calibrates_though_it_has_two_names(codec: ModelVersion, store: MemoryPictures, tmp_path: Path) -> None:
    work = first(tmp_path, store, codec)
    again = {"wood/part/again": [stored_again(store, path) for path in work.frames["wood/part/7"]]}

    pictures = laid_out(replace(work, frames={**work.frames, **again}))

    teaching, calibrating = groups_in(pictures), groups_in(pictures / CALIBRATION)
    assert calibrating
    assert teaching.isdisjoint(calibrating)
    assert not {"wood/part/7", "wood/part/again"} <= teaching | calibrating  # one name for both


def laid_out(work: FirstTraining) -> Path:
    """Its pictures, before anything is taught."""
    with pytest.raises(KeyboardInterrupt):
        first_training(work, Registry(work.folder / "models"), lambda lesson: (_ for _ in ()).throw(KeyboardInterrupt))
    return work.folder / "pictures"


def stored_again(store: MemoryPictures, path: str) -> str:
    """The same picture, encoded anew."""
    pixels = cv2.imdecode(np.frombuffer(store.get(path), np.uint8), cv2.IMREAD_COLOR)
    return store.put("frames", bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 97])[1]))


def test_what_is_done_is_not_done_again_after_a_kill(codec: ModelVersion, store: MemoryPictures, tmp_path: Path) -> None:
    work, registry = first(tmp_path, store, codec), Registry(tmp_path / "models")
    laid_out(work)
    store.contents.clear()  # the pictures lie in the training's folder by now
    outcome = first_training(work, registry, here)

    def never(lesson: object) -> None:
        raise AssertionError("taught twice")

    assert first_training(work, registry, never) == outcome


def test_pictures_of_a_few_parts_teach_nothing_and_it_is_said(codec: ModelVersion, store: MemoryPictures, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least 5 different parts, got 4"):
        in_groups({f"frames/aa/{number}": f"wood/part/{number % 4}" for number in range(100)})
    with pytest.raises(DataError, match="at least 5 different parts, got 3"):
        first_training(first(tmp_path, store, codec, parts=3), Registry(tmp_path / "models"), here)


def test_parts_that_mostly_look_alike_can_be_learnt_too(codec: ModelVersion, store: MemoryPictures, tmp_path: Path) -> None:
    alike = {f"wood/part/{seed}": [store.put("frames", bytes(cv2.imencode(".png", striped(seed))[1]))] for seed in range(24)}

    pictures = laid_out(replace(first(tmp_path, store, codec), frames=alike))

    assert len(groups_in(pictures)) >= 4
    assert groups_in(pictures / CALIBRATION)


def test_a_frame_that_names_no_part_goes_with_those_beside_it() -> None:
    groups = [group_of_frame(FrameId("wood", "top", "s1", number), None) for number in (8, 9, 10)]

    assert groups[0] == groups[1] != groups[2]
    assert group_of_frame(FrameId("wood", "top", "s1", 8), "p8") == group_of_frame(FrameId("wood", "side", "s2", 90), "p8")


def test_of_very_many_pictures_as_many_are_drawn_as_a_training_takes() -> None:
    good = {f"frames/aa/{number:05}": f"wood/part/{number}" for number in range(MOST_PICTURES + 100)}

    assert sum(map(len, in_groups(good).values())) == MOST_PICTURES
    assert in_groups(dict(reversed(good.items()))) == in_groups(good)
