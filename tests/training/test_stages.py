"""Training end to end on pictures of 64 x 64 and a network of a few thousand weights, in seconds."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.checkpoint import load, read_version, save
from models.dsr import DSR
from models.preprocessing import Preprocessing, to_tensor
from models.scoring import anomaly_score
from tests.networks import TINY, write_stripes
from training.data import DataError
from training.defects import read_defects
from training.detector import DetectionStage, Lessons, ObjectStage, UpsamplingStage, multiplies_bfloat16
from training.explained import check, share
from training.loop import TrainingError
from training.randomness import Randomness
from training.recipes import Recipe, StageRecipe, smoke
from training.stages import Means, train_codec, train_detector
from training.team import Alone


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    def stage(steps: int, batch: int) -> StageRecipe:
        return StageRecipe(steps, batch, 2e-3, warm_up=2)

    return replace(smoke(), config=TINY, side=64, crop=32, codec=stage(400, 8), objects=stage(6, 2), detection=stage(6, 4), upsampling=stage(4, 4))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes with a little noise."""
    return write_stripes(tmp_path_factory.mktemp("data") / "stripes" / "train" / "good", 20).parents[1]


@pytest.fixture(scope="module")
def codec(one_thread: None, recipe: Recipe, parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_codec([parts], recipe, tmp_path_factory.mktemp("codec") / "codec")


@pytest.fixture(scope="module")
def detector(recipe: Recipe, parts: Path, codec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_detector([parts], recipe, tmp_path_factory.mktemp("detector") / "stripes", start=codec, name="stripes", command="loupe train")


def test_a_codec_learns_to_draw(codec: Path) -> None:
    card = json.loads((codec / "card.json").read_text())

    assert card["stages"]["codec"]["losses"]["reconstruction"] < 1  # 1 is the average colour
    assert card["data"] == {"stripes": 20}


def test_a_codec_can_learn_on(recipe: Recipe, parts: Path, codec: Path, tmp_path: Path) -> None:
    further = train_codec([parts], replace(recipe, codec=replace(recipe.codec, steps=40, learning_rate=2e-4)), tmp_path / "further", start=codec)

    before, after = (json.loads((folder / "card.json").read_text()) for folder in (codec, further))
    assert after["start"]["stages"] == before["stages"]
    assert after["stages"]["codec"]["losses"]["reconstruction"] < before["stages"]["codec"]["losses"]["reconstruction"]


def test_a_detector_can_be_served_and_says_where_it_comes_from(detector: Path) -> None:
    card = json.loads((detector / "card.json").read_text())

    assert load(detector)(torch.rand(2, 3, 64, 64)).shape == (2, 64, 64)
    assert read_version(detector).completed_stages == ("codec", "detection", "upsampling")
    assert (card["name"], card["data"], card["command"], card["seed"]) == ("stripes", {"stripes": 20}, "loupe train", 0)
    assert card["codec"]["held_out"]["stripes"]["psnr_db"] > 0
    assert set(card["explained_variance"]["detection"]) == {"general", "specific", "restricted_lo", "restricted_hi"}


def test_only_the_version_is_left_behind(detector: Path) -> None:
    assert sorted(path.name for path in detector.parent.iterdir()) == ["stripes"]
    assert sorted(path.name for path in detector.iterdir()) == ["card.json", "golden", "version.json", "weights.safetensors"]


def test_golden_frames_get_the_scores_they_must_get(detector: Path) -> None:
    expected = json.loads((detector / "golden" / "expected.json").read_text())
    version, dsr = read_version(detector), load(detector)

    for name, score in expected["scores"].items():
        picture = version.preprocessing.decode((detector / "golden" / name).read_bytes())
        anomaly_map = dsr.detect(to_tensor([picture])).anomaly_map
        assert anomaly_score(anomaly_map, version.filter_side).item() == pytest.approx(score, abs=expected["tolerance"])


def test_stages_after_the_codec_leave_it_alone(codec: Path, detector: Path) -> None:
    before, after = load(detector, full_maps=False).codec.state_dict(), weights_of(codec)

    assert all(torch.equal(before[name], after[name]) for name in after)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights.safetensors")


def test_the_same_seed_makes_the_same_weights(recipe: Recipe, parts: Path, codec: Path, detector: Path, tmp_path: Path) -> None:
    again = train_detector([parts], recipe, tmp_path / "again", start=codec, name="stripes")

    assert (again / "weights.safetensors").read_bytes() == (detector / "weights.safetensors").read_bytes()


def test_a_detector_can_start_from_another(recipe: Recipe, parts: Path, detector: Path, tmp_path: Path) -> None:
    nothing = replace(
        recipe, objects=replace(recipe.objects, steps=0), detection=replace(recipe.detection, steps=0), upsampling=replace(recipe.upsampling, steps=0)
    )

    same = train_detector([parts], nothing, tmp_path / "same", start=detector, name="same")

    assert (same / "weights.safetensors").read_bytes() == (detector / "weights.safetensors").read_bytes()


def test_a_codec_of_other_sizes_is_refused(recipe: Recipe, parts: Path, codec: Path, tmp_path: Path) -> None:
    wider = replace(recipe, config=replace(TINY, codes=64))

    with pytest.raises(DataError, match=r"'codes': \(32, 64\)"):
        train_detector([parts], wider, tmp_path / "wider", start=codec, name="wider")


@pytest.mark.parametrize(
    ("stage", "moved"),
    [
        (ObjectStage, {"restriction_lo", "restriction_hi", "object_decoder"}),
        (DetectionStage, {"restriction_lo", "restriction_hi", "object_decoder", "detection"}),
        (UpsamplingStage, {"upsampling"}),
    ],
)
def test_each_stage_teaches_its_own_modules(stage: type[ObjectStage], moved: set[str], recipe: Recipe) -> None:
    torch.manual_seed(0)
    dsr = DSR(TINY)
    learner = stage(dsr, Lessons(np.random.default_rng(0).integers(0, 255, (8, 64, 64, 3), dtype=np.uint8)), recipe, seed=0)
    list(learner.parameters())

    learner.losses(0, Randomness.of(0, "test", 0))["total"].backward()

    touched = {name.split(".")[0] for name, weight in dsr.named_parameters() if weight.grad is not None and weight.grad.abs().sum() > 0}
    assert touched == moved


@pytest.mark.parametrize("stage", [ObjectStage, DetectionStage, UpsamplingStage])
def test_half_precision_teaches_the_same(stage: type[ObjectStage], recipe: Recipe, detector: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loss and gradient of a step: within a hundredth, and in the same direction. Codes are chosen in fp32 either way."""
    monkeypatch.setattr("training.detector.multiplies_bfloat16", lambda device: True)  # imitated where it must be: the same numbers
    parts = np.random.default_rng(0).integers(0, 255, (8, 64, 64, 3), dtype=np.uint8)
    losses, gradients = [], []
    for bfloat16 in (False, True):
        learner = stage(load(detector), Lessons(parts), replace(recipe, bfloat16=bfloat16), seed=0)
        weights = list(learner.parameters())
        total = learner.losses(0, Randomness.of(0, "test", 0))["total"]
        total.backward()
        losses.append(total.item())
        gradients.append(torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None]))

    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    assert torch.cosine_similarity(*gradients, dim=0) > 0.9  # biases before an InstanceNorm have no gradient but rounding


@pytest.mark.parametrize(("capability", "native"), [("AVX512", True), ("AVX2", False), ("DEFAULT", False)])
def test_a_processor_that_would_imitate_bfloat16_is_given_fp32(capability: str, native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    multiplies_bfloat16.cache_clear()

    assert multiplies_bfloat16(torch.device("cpu")) is native

    multiplies_bfloat16.cache_clear()


@pytest.fixture(scope="module")
def defects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Bars across the stripes, with their masks."""
    product = tmp_path_factory.mktemp("data") / "stripes"
    pictures, masks = product / "test" / "bar", product / "ground_truth" / "bar"
    pictures.mkdir(parents=True)
    masks.mkdir(parents=True)
    for index in range(3):
        stripes = np.broadcast_to(128 + 60 * np.sin(np.arange(64) / 3)[None, :, None], (64, 64, 3)).astype(np.uint8).copy()
        outline = np.zeros((64, 64), np.uint8)
        stripes[20:28, 10 + 5 * index : 40], outline[20:28, 10 + 5 * index : 40] = 10, 255
        cv2.imwrite(str(pictures / f"{index}.png"), stripes)
        cv2.imwrite(str(masks / f"{index}_mask.png"), outline)
    return sorted(pictures.iterdir())


@pytest.mark.parametrize(("stage", "moved"), [(DetectionStage, {"detection"}), (UpsamplingStage, {"upsampling"})])
def test_a_share_of_each_batch_is_real_defects_which_teach_only_the_heads(
    stage: type[ObjectStage], moved: set[str], recipe: Recipe, defects: list[Path]
) -> None:
    torch.manual_seed(0)
    parts = np.random.default_rng(0).integers(0, 255, (8, 64, 64, 3), dtype=np.uint8)
    learner = stage(DSR(TINY), Lessons(parts, read_defects(defects, Preprocessing(64))), recipe, seed=0)
    list(learner.parameters())

    good, real = learner._shares(4)
    specific, general, target = DetectionStage._shown_defects(learner, 2, np.random.default_rng(0))

    assert (good, real) == (3, 1)
    assert not specific.requires_grad
    assert not general.requires_grad
    assert target.sum() > 0
    assert moved <= {name.split(".")[0] for name, weight in learner.dsr.named_parameters() if weight.requires_grad}


def test_a_detector_taught_with_real_defects_says_which(recipe: Recipe, parts: Path, detector: Path, defects: list[Path], tmp_path: Path) -> None:
    taught = train_detector([parts], recipe, tmp_path / "taught", start=detector, name="taught", defects=defects)

    card = json.loads((taught / "card.json").read_text())
    assert card["defects"] == {"bar": 3}
    assert (taught / "weights.safetensors").read_bytes() != (detector / "weights.safetensors").read_bytes()


def test_the_card_says_how_a_stage_went(detector: Path) -> None:
    stage = json.loads((detector / "card.json").read_text())["stages"]["detection"]

    assert [check["step"] for check in stage["checks"]] == [1, 2, 3, 4, 5, 6]
    assert stage["best_step"] in range(1, 7)
    assert stage["gained_in_last_third"] == pytest.approx(
        max(check["pixel_ap"] for check in stage["checks"][4:]) - max(check["pixel_ap"] for check in stage["checks"][:4]), abs=1e-3
    )


def test_workers_that_cannot_share_a_batch_are_refused(recipe: Recipe, parts: Path, codec: Path, tmp_path: Path) -> None:
    class Three(Alone):
        size = 3

    with pytest.raises(TrainingError, match="divides the batch of 2, got 3"):
        train_detector([parts], recipe, tmp_path / "shared", start=codec, name="shared", means=Means(team=Three()))


def test_the_average_colour_explains_nothing() -> None:
    truth = torch.rand(2, 3, 16, 16)

    assert share(truth.mean(dim=(2, 3), keepdim=True).expand_as(truth), truth) == pytest.approx(0, abs=1e-6)
    assert share(truth, truth) == 1


def test_a_collapsed_object_branch_is_warned_of(detector: Path, parts: Path, caplog: pytest.LogCaptureFixture) -> None:
    dsr = load(detector)
    for weight in dsr.object_decoder.parameters():
        weight.zero_()
    picture = torch.from_numpy(cv2.imread(str(next(parts.rglob("*.png"))))).permute(2, 0, 1)[None] / 255

    with caplog.at_level(logging.WARNING, logger="training.explained"):
        result = check(dsr, picture, after="test")

    assert result.collapsed
    assert "close to the average colour" in caplog.text


def test_a_version_that_never_learnt_to_upsample_can_still_be_a_start(recipe: Recipe, parts: Path, detector: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    save(half, load(detector), replace(read_version(detector), completed_stages=("codec", "detection")), card={})

    whole = train_detector([parts], recipe, tmp_path / "whole", start=half, name="whole")

    assert "upsampling" in read_version(whole).completed_stages
