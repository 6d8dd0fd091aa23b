"""What is served equals what was trained, alone or in a batch, in one step or in two."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.checkpoint import UntrainedError, load
from models.engine import Engine, check_golden, keep_memory
from models.registry import BrokenModelError
from models.scoring import anomaly_score
from tests.networks import SIDE, saved_tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_tiny(tmp_path_factory.mktemp("version"), "codec", "detection", "upsampling")


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return Engine.load(folder, threads=1, device="cpu")


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_the_engine_answers_as_the_plain_network_does(engine: Engine, folder: Path):
    dsr, batch = load(folder), pictures(4)
    plain = dsr.detect(batch)

    scored = engine.score(batch)

    assert torch.allclose(scored.coarse_maps, plain.anomaly_map, atol=1e-4)
    assert torch.allclose(scored.scores, anomaly_score(plain.anomaly_map, 5), atol=1e-5)
    assert (engine.mask(scored, range(4)) - dsr.upsample(plain)).abs().mean() < 1e-4


def test_a_batch_of_n_equals_n_batches_of_one(engine: Engine):
    batch = pictures(5)
    together = engine.score(batch)

    alone = [engine.score(batch[index : index + 1]) for index in range(5)]

    assert torch.equal(together.scores, torch.cat([one.scores for one in alone]))
    assert torch.equal(engine.mask(together, range(5)), torch.cat([engine.mask(one, [0]) for one in alone]))


def test_a_batch_of_one_keeps_its_axis(engine: Engine):
    scored = engine.score(pictures(1))

    assert scored.scores.shape == (1,)
    assert scored.coarse_maps.shape == engine.mask(scored, [0]).shape == (1, SIDE, SIDE)


def test_full_maps_are_made_for_the_frames_asked_for(engine: Engine):
    scored = engine.score(pictures(4))

    chosen = engine.mask(scored, [3, 1])

    assert torch.equal(chosen, engine.mask(scored, range(4))[[3, 1]])
    assert engine.mask(scored, []).shape == (0, SIDE, SIDE)
    assert not torch.equal(chosen[0], scored.coarse_maps[3])


def test_scores_and_maps_are_probabilities(engine: Engine):
    scored = engine.score(pictures(3))

    for values in (scored.scores, scored.coarse_maps, engine.mask(scored, range(3))):
        assert 0 <= values.min() <= values.max() <= 1


@pytest.mark.parametrize("batch", [torch.full((1, 3, SIDE, SIDE), 255.0), torch.rand(1, 3, 32, 32), torch.rand(0, 3, SIDE, SIDE)])
def test_other_input_than_in_training_is_refused(engine: Engine, batch: torch.Tensor):
    with pytest.raises(ValueError, match="input: expected"):
        engine.score(batch)


def test_without_stage_3_the_coarse_map_is_served_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    engine = Engine.load(saved_tiny(tmp_path, "codec", "detection"), device="cpu")
    scored = engine.score(pictures(2))

    assert not engine.full_maps
    assert torch.equal(engine.mask(scored, [1]), scored.coarse_maps[1:])
    assert "no trained upsampling module" in caplog.text


def test_a_codec_alone_cannot_be_served(tmp_path: Path):
    with pytest.raises(UntrainedError, match="detection"):
        Engine.load(saved_tiny(tmp_path, "codec"), device="cpu")


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_golden_frames_notice_a_network_that_answers_otherwise(folder: Path, engine: Engine, tmp_path: Path, shift: float):
    frame = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    (tmp_path / "golden").mkdir()
    cv2.imwrite(str(tmp_path / "golden" / "00.png"), frame)
    score = float(engine.score(torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255).scores[0])
    (tmp_path / "golden" / "expected.json").write_text(json.dumps({"tolerance": 0.01, "scores": {"00.png": score + shift}}))

    if shift:
        with pytest.raises(BrokenModelError, match=r"00\.png"):
            check_golden(engine, tmp_path)
    else:
        assert check_golden(engine, tmp_path) == {"00.png": pytest.approx(score)}


def test_keeping_memory_can_be_asked_for_again():
    assert keep_memory() == keep_memory()
