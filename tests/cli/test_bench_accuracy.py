"""Two detectors on the same pictures: each with its figures, and their difference with an interval from the same draws."""

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from typer.testing import CliRunner

from models.registry import read_version
from services.cli import app
from services.cli.measuring.accuracy import Side, compare, difference
from tests.networks import striped, write_stripes
from training.evaluation import MEASURES, Judged, measure, report_of

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    folder = tmp_path / "tiles"
    write_stripes(folder / "train" / "good", 20)
    write_stripes(folder / "test" / "good", 4)
    for place in ("test/spot", "ground_truth/spot"):
        (folder / place).mkdir(parents=True)
    for index in range(4):
        pixels, mask = striped(index), np.zeros((64, 64), np.uint8)
        pixels[20:36, 20:36], mask[20:36, 20:36] = 250, 255
        cv2.imwrite(str(folder / "test" / "spot" / f"{index:02}.png"), pixels)
        cv2.imwrite(str(folder / "ground_truth" / "spot" / f"{index:02}_mask.png"), mask)
    return folder


def colours(pictures: Tensor) -> Tensor:
    return F.avg_pool2d(pictures, 8)


def side(frames: list[Judged]) -> Side:
    lines = measure(frames)
    return Side(lines, report_of(lines))


def make_frames(*, shift: float) -> list[Judged]:
    dice, mask = np.random.default_rng(0), np.zeros((8, 8), bool)
    mask[2:4, 2:4] = True
    frames = []
    for index in range(40):
        bad = index % 2 == 1
        score = float(dice.uniform(0.2, 0.5)) + shift * bad
        anomaly_map = dice.uniform(0.1, 0.5, (8, 8)).astype(np.float32)
        frames.append(Judged("tiles", "spot" if bad else "good", score, anomaly_map, mask & bad, str(index)))
    return frames


def test_both_are_measured_on_the_same_pictures(tiles: Path, version: Path):
    torch.manual_seed(0)

    report = compare(read_version(version), tiles, memory=500, features=colours)

    assert (report["data"], report["frames"], report["ours"]["model"]) == ("tiles", 8, "tiny")
    assert report["neighbours"]["image_auroc"] == 1.0
    assert report["neighbours"]["pixel_ap"] > report["ours"]["pixel_ap"]
    for name in MEASURES:
        assert report["difference"][name]["value"] == pytest.approx(report["ours"][name] - report["neighbours"][name])


def test_a_detector_does_not_differ_from_itself_in_any_draw():
    frames = make_frames(shift=0.1)

    same = difference(side(frames), side([replace(frame, anomaly_map=frame.anomaly_map.copy()) for frame in frames]))

    assert all(one == {"value": 0.0, "interval": [0.0, 0.0]} for one in same.values())


def test_a_better_score_is_better_by_more_than_chance():
    better = difference(side(make_frames(shift=0.25)), side(make_frames(shift=0.05)))

    assert better["image_auroc"]["interval"][0] > 0
    assert better["pixel_ap"] == {"value": 0.0, "interval": [0.0, 0.0]}


def test_without_the_benchmarks_packages_one_line_says_what_to_install(tiles: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)

    result = CliRunner().invoke(app, ["bench", "accuracy", "--data", str(tiles), "--model", "demo"])

    assert result.exit_code == 1
    assert "pip install efficientnet-lite-pytorch" in result.stderr
    assert result.stderr.count("\n") == 1
