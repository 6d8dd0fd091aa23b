"""A dataset version and a champion become a candidate with its own thresholds and the gate's answer, and one that was killed goes on."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models import checkpoint
from models.engine import Engine, check_golden
from models.registry import ModelVersion, Registry, read_version, shipped
from services.ingest.synthetic.parts import GoodParts
from tests.networks import TINY, striped, write_stripes
from tests.training.dataset_makers import MemoryPictures
from training.data import DataError
from training.dataset_version import DatasetVersion, Row, write_version
from training.gate_rule import Answer, Rule
from training.recipes import StageRecipe, smoke
from training.retrain import Retraining, retrain
from training.splits import Split
from training.stages import ON_OUR_OWN, train_codec, train_detector

STAGE = StageRecipe(4, 4, 1e-3, warm_up=1, checks=1, keep="last")
RECIPE = replace(
    smoke(), config=TINY, side=64, crop=32, codec=StageRecipe(40, 8, 2e-3, warm_up=2), objects=replace(STAGE, steps=0), detection=STAGE, upsampling=STAGE
)
METAL = GoodParts("brushed-metal", 90_002)
Picture = Callable[..., tuple[bytes, bytes]]
"""Seed, defective or not -> picture and mask, as PNG."""


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelVersion]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("champion")
    parts = write_stripes(folder / "stripes" / "train" / "good", 20).parents[1]
    codec = train_codec([parts], RECIPE, folder / "codec")
    yield read_version(train_detector([parts], RECIPE, folder / "detector", start=codec, name="stripes"))
    torch.set_num_threads(threads)


def picture(seed: int, *, defective: bool = False) -> tuple[bytes, bytes]:
    pixels, mask = striped(seed), np.zeros((64, 64), np.uint8)
    if defective:
        mask[20:34, 20:34] = 255
        pixels[mask > 0] = 250
    return encoded(pixels), encoded(mask)


def row(store: MemoryPictures, seed: int, split: Split, *, defective: bool = False, masked: bool = True, of: Picture = picture) -> Row:
    image, outline = of(seed, defective=defective)
    mask = store.put("masks", outline) if defective and masked else None
    return Row(
        picture=hashlib.sha256(image).hexdigest(),
        path=store.put("frames", image),
        group=f"metal/part/{seed}",
        split=split,
        answer="defect" if defective else "good",
        weight=1.0,
        frame_id=f"metal/top/s/{seed}",
        captured_at="2026-01-01T00:00:00+00:00",
        line="metal",
        defect_class="scratch" if defective else None,
        mask=mask and mask.rpartition("/")[2],
        mask_path=mask,
    )


def dataset(folder: Path, store: MemoryPictures, *, calibrating: int = 6, teaching: int = 18) -> DatasetVersion:
    rows = [row(store, seed, Split.TRAIN) for seed in range(100, 100 + teaching)]
    rows += [row(store, seed, Split.TRAIN, defective=True) for seed in range(200, 203)] + [row(store, 210, Split.TRAIN, defective=True, masked=False)]
    rows += [row(store, seed, Split.CALIBRATION) for seed in range(300, 300 + calibrating)]
    rows += [row(store, seed, Split.HELD_OUT) for seed in range(400, 404)] + [row(store, seed, Split.HELD_OUT, defective=True) for seed in range(500, 503)]
    rows += [row(store, 510, Split.HELD_OUT, defective=True, masked=False)]
    return write_version(folder / "datasets", rows, {"created_at": "2026-01-01"})


def retraining(folder: Path, store: MemoryPictures, champion: ModelVersion, version: DatasetVersion) -> Retraining:
    return Retraining("metal-1", "metal", folder / "metal-1", champion, 0.5, version, store, RECIPE, Rule(good_groups=4, defective_groups=3))


def here(work: object) -> None:
    work(means=ON_OUR_OWN)  # type: ignore[operator]


def test_a_candidate_is_stored_with_where_it_comes_from_its_thresholds_and_the_gates_answer(
    champion: ModelVersion, store: MemoryPictures, tmp_path: Path
) -> None:
    version, registry = dataset(tmp_path, store), Registry(tmp_path / "models")

    outcome = retrain(retraining(tmp_path, store, champion, version), registry, here)

    candidate = registry.fetch(outcome["candidate"])
    assert {name: candidate.card[name] for name in ("line", "parent", "dataset", "retraining")} == {
        "line": "metal",
        "parent": champion.id,
        "dataset": version.id,
        "retraining": "metal-1",
    }
    assert candidate.card["defects"] == {"scratch": 3}  # the fourth has no mask, and teaches nothing
    assert candidate.card["data"] == {"pictures": 18}  # what calibrates and measures is not among them
    suggested = candidate.suggested_calibration("metal")
    assert suggested is not None
    assert (suggested, suggested["groups"]) == (outcome["calibration"], 6)
    check_golden(Engine.load(candidate.path), candidate.path)
    gate = outcome["gate"]
    assert gate["evidence"] == {"frames": 8, "good": 4, "defective": 4, "good_groups": 4, "defective_groups": 4}
    assert gate["answer"] in {Answer.PASSED, Answer.REFUSED}
    assert gate["measures"]["pixel_ap"]["candidate"] is not None
    json.dumps(outcome)  # as it is kept


def test_what_is_done_is_not_done_again_after_a_kill(champion: ModelVersion, store: MemoryPictures, tmp_path: Path) -> None:
    work, registry = retraining(tmp_path, store, champion, dataset(tmp_path, store)), Registry(tmp_path / "models")
    with pytest.raises(KeyboardInterrupt):
        retrain(work, registry, lambda lesson: (_ for _ in ()).throw(KeyboardInterrupt))
    pictures = {path: path.stat().st_mtime_ns for path in (work.folder / "pictures").rglob("*.png")}
    first = retrain(work, registry, here)

    def never(lesson: object) -> None:
        raise AssertionError("taught twice")

    second = retrain(work, registry, never)

    assert second["candidate"] == first["candidate"]
    assert {path: path.stat().st_mtime_ns for path in (work.folder / "pictures").rglob("*.png")} == pictures


def test_without_good_frames_to_calibrate_by_nobody_can_tell(champion: ModelVersion, store: MemoryPictures, tmp_path: Path) -> None:
    work = retraining(tmp_path, store, champion, dataset(tmp_path, store, calibrating=0))

    outcome = retrain(work, Registry(tmp_path / "models"), here)

    assert outcome["calibration"] is None
    assert outcome["gate"]["answer"] == Answer.INSUFFICIENT
    assert "calibration" in outcome["gate"]["reasons"][0]


def test_too_few_good_pictures_teach_nothing_and_it_is_said(champion: ModelVersion, store: MemoryPictures, tmp_path: Path) -> None:
    work = retraining(tmp_path, store, champion, dataset(tmp_path, store, teaching=5))

    with pytest.raises(DataError, match="expected at least 16 pictures, got 5"):
        retrain(work, Registry(tmp_path / "models"), here)


def test_a_candidate_that_has_forgotten_what_a_defect_looks_like_is_refused(store: MemoryPictures, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    champion = registry.add(shipped("demo"))
    work = replace(retraining(tmp_path, store, champion, spotted_metal(tmp_path, store)), rule=Rule())

    outcome = retrain(work, registry, lambda lesson: forget(champion, work.folder / "candidate"))

    gate = outcome["gate"]
    assert gate["answer"] == Answer.REFUSED
    assert gate["measures"]["image_auroc"]["champion"] == 1
    assert gate["measures"]["image_auroc"]["candidate"] < 0.9
    assert any("image_auroc" in reason for reason in gate["reasons"])


def forget(champion: ModelVersion, candidate: Path) -> None:
    """A training that went wrong: the codec is the champion's, the detection module has lost what it knew."""
    network, dice = checkpoint.load(champion.path), torch.Generator().manual_seed(1)
    for weights in network.detection.parameters():
        weights.data = 0.1 * torch.randn(weights.shape, generator=dice)
    checkpoint.save(candidate, network, checkpoint.read_version(champion.path), card={})


def spotted_metal(folder: Path, store: MemoryPictures) -> DatasetVersion:
    """As many groups as the default rule asks for, of parts that the shipped detector knows."""
    rows = [row(store, seed, Split.CALIBRATION, of=metal) for seed in range(30)]
    rows += [row(store, seed, Split.HELD_OUT, of=metal) for seed in range(30, 50)]
    rows += [row(store, seed, Split.HELD_OUT, of=metal, defective=True) for seed in range(50, 60)]
    return write_version(folder / "datasets", rows, {"created_at": "2026-01-01"})


def metal(seed: int, *, defective: bool = False) -> tuple[bytes, bytes]:
    pixels = METAL.good(seed).image.copy()
    mask = np.zeros(pixels.shape[:2], np.uint8)
    if defective:
        cv2.circle(mask, (pixels.shape[1] // 2, pixels.shape[0] // 2), pixels.shape[0] // 12, 255, -1)
        pixels[mask > 0] //= 3
    return encoded(pixels), encoded(mask)


def encoded(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


def test_a_candidate_that_loses_a_golden_part_is_refused_and_the_part_is_named(champion: ModelVersion, store: MemoryPictures, tmp_path: Path) -> None:
    """A threshold below all scores: the champion flags each, so that a candidate with thresholds of its own passes what scores low."""
    rows = [*dataset(tmp_path / "plain", store).rows, replace(row(store, 600, Split.TRAIN, defective=True, of=unseen), golden=True)]
    version = write_version(tmp_path / "datasets", rows, {"created_at": "2026-01-01"})

    outcome = retrain(replace(retraining(tmp_path, store, champion, version), review=0.0), Registry(tmp_path / "models"), here)

    gate = outcome["gate"]
    assert (gate["answer"], gate["golden"]) == (Answer.REFUSED, {"frames": 1, "champion_wrong": 0, "candidate_wrong": 1, "lost": 1})
    assert gate["reasons"][0] == "golden set: 1 of 1 that the champion decides right would be decided wrongly"
    assert [change["frame_id"] for change in gate["changes"] if change["golden"]] == ["metal/top/s/600"]
    assert read_version(Registry(tmp_path / "models").fetch(outcome["candidate"]).path).card["defects"] == {"scratch": 3}  # it did not teach


def unseen(seed: int, *, defective: bool = False) -> tuple[bytes, bytes]:
    """What people call a defect and no network can: a good part's picture."""
    return encoded(striped(300)), encoded(np.full((64, 64), 255, np.uint8))
