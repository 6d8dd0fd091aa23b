"""A training killed with -9 and started again ends with the very weights of one that was never killed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from models.dsr import DSRConfig
from training.recipes import StageRecipe, smoke
from training.stages import train_codec, train_detector

torch.set_num_threads(1)
config = DSRConfig(
    code_size=8, codes=32, codec_width=8, residual_width=4, residual_blocks=1, restriction_width=8, restriction_poolings=1, object_decoder="general",
    unet_width=4,
)
short = StageRecipe(12, 2, 1e-3, warm_up=2, checks=3)
recipe = replace(
    smoke(), config=config, side=64, crop=32, codec=StageRecipe(240, 4, 1e-3, checks=3), objects=short, detection=replace(short, steps=220), upsampling=short
)
pictures, out = Path(sys.argv[1]), Path(sys.argv[2])
codec = out / "codec"
if not codec.is_dir():
    train_codec([pictures], recipe, codec)
train_detector([pictures], recipe, out / "detector", start=codec, name="detector")
"""
PATIENCE_S = 120


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(20):
        dice = np.random.default_rng(index)
        stripes = 128 + 60 * np.sin(np.arange(64) / 3 + dice.uniform(0, 6))[None, :, None] + dice.normal(0, 4, (64, 64, 3))
        cv2.imwrite(str(folder / f"{index:02}.png"), np.clip(stripes, 0, 255).astype(np.uint8))
    return folder


def start(pictures: Path, out: Path) -> subprocess.Popen[bytes]:
    out.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(pictures), str(out)], stderr=subprocess.DEVNULL)


def kill_once_there(process: subprocess.Popen[bytes], checkpoint: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not checkpoint.is_file():
        assert process.poll() is None, "ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE_S) == -signal.SIGKILL


def test_a_training_killed_in_two_stages_ends_as_if_nothing_had_happened(pictures: Path, tmp_path: Path) -> None:
    assert start(pictures, tmp_path / "unbroken").wait(PATIENCE_S) == 0

    kill_once_there(start(pictures, tmp_path / "killed"), tmp_path / "killed" / ".codec.training" / "codec.pt")
    kill_once_there(start(pictures, tmp_path / "killed"), tmp_path / "killed" / ".detector.training" / "detection.pt")
    assert start(pictures, tmp_path / "killed").wait(PATIENCE_S) == 0

    for name in ("codec", "detector"):
        unbroken, killed = (tmp_path / run / name for run in ("unbroken", "killed"))
        assert (killed / "weights.safetensors").read_bytes() == (unbroken / "weights.safetensors").read_bytes()
        curves = [json.loads((run / "card.json").read_text())["stages"] for run in (unbroken, killed)]
        assert [[stage["checks"], stage["losses"]] for stage in curves[0].values()] == [[stage["checks"], stage["losses"]] for stage in curves[1].values()]
