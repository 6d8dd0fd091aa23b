"""A network written to a version folder comes back equal, or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.checkpoint import CheckpointError, UntrainedError, Version, load, load_codec, save
from models.dsr import DSR
from models.preprocessing import Preprocessing
from tests.networks import TINY

COMPLETE = Version(TINY, Preprocessing(64), 5, ("codec", "detection", "upsampling"))


@pytest.fixture
def dsr() -> DSR:
    torch.manual_seed(0)
    return DSR(TINY).eval()


@torch.inference_mode()
def test_what_is_saved_comes_back(dsr: DSR, tmp_path: Path) -> None:
    save(tmp_path, dsr, COMPLETE, card={"name": "tiny"})
    pictures = torch.rand(2, 3, 64, 64)

    assert torch.equal(load(tmp_path)(pictures), dsr(pictures))
    assert torch.equal(load_codec(tmp_path)(pictures), dsr.codec(pictures))


def test_full_maps_without_stage_3_are_refused(dsr: DSR, tmp_path: Path) -> None:
    save(tmp_path, dsr, replace(COMPLETE, completed_stages=("codec", "detection")), card={})

    with pytest.raises(UntrainedError, match="'upsampling' completed, got \\['codec', 'detection'\\]"):
        load(tmp_path)
    assert isinstance(load(tmp_path, full_maps=False), DSR)


def test_a_codec_alone_is_no_detector(dsr: DSR, tmp_path: Path) -> None:
    save(tmp_path, dsr.codec, replace(COMPLETE, completed_stages=("codec",)), card={})

    with pytest.raises(UntrainedError, match="'detection'"):
        load(tmp_path, full_maps=False)
    load_codec(tmp_path)


def test_every_tensor_that_does_not_fit_is_named(dsr: DSR, tmp_path: Path) -> None:
    save(tmp_path, dsr, COMPLETE, card={})
    weights = load_file(tmp_path / "weights.safetensors")
    weights["detection.odd"] = weights.pop("detection.unet.to_logits.bias")
    weights["codec.quantizer_lo.codebook"] = torch.zeros(3, 8)
    save_file(weights, tmp_path / "weights.safetensors")

    with pytest.raises(CheckpointError) as refusal:
        load(tmp_path)

    message = str(refusal.value)
    assert "missing detection.unet.to_logits.bias" in message
    assert "extra detection.odd" in message
    assert "wrong shape codec.quantizer_lo.codebook (3, 8) for (32, 8)" in message


def test_weights_that_are_no_numbers_are_refused(dsr: DSR, tmp_path: Path) -> None:
    dsr.detection.unet.to_logits.bias.data.fill_(float("nan"))
    save(tmp_path, dsr, COMPLETE, card={})

    with pytest.raises(CheckpointError, match="finite"):
        load(tmp_path)


def test_a_truncated_file_is_a_checkpoint_error(dsr: DSR, tmp_path: Path) -> None:
    save(tmp_path, dsr, COMPLETE, card={})
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(CheckpointError, match="expected safetensors"):
        load(tmp_path)
