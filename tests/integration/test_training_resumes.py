"""A training killed with -9 and started again ends with the very weights of one that was never killed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.networks import write_stripes

SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from tests.networks import TINY
from training.recipes import StageRecipe, smoke
from training.stages import train_codec, train_detector

torch.set_num_threads(1)
short = StageRecipe(12, 2, 1e-3, warm_up=2, checks=3)
recipe = replace(
    smoke(), config=TINY, side=64, crop=32, codec=StageRecipe(240, 4, 1e-3, checks=3), objects=short, detection=replace(short, steps=220), upsampling=short
)
pictures, out = Path(sys.argv[1]), Path(sys.argv[2])
codec = out / "codec"
if not codec.is_dir():
    train_codec([pictures], recipe, codec)
train_detector([pictures], recipe, out / "detector", start=codec, name="detector")
"""
PATIENCE_S = 120
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stripes(tmp_path_factory.mktemp("pictures"), 20)


def start(pictures: Path, out: Path) -> subprocess.Popen[bytes]:
    out.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(pictures), str(out)], cwd=ROOT, stderr=subprocess.DEVNULL)


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
