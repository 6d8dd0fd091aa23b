"""Scores become decisions, maps become regions of the original picture."""

import numpy as np
import pytest

from services.contract.inspection import Calibration, Decision
from services.inspection.decision import MOST_REGIONS, decide, regions

CALIBRATION = Calibration(calibration_id="c1", review=0.5, fail=0.8)


@pytest.mark.parametrize(
    ("score", "expected"),
    [(0.0, Decision.PASS), (0.4999, Decision.PASS), (0.5, Decision.REVIEW), (0.7999, Decision.REVIEW), (0.8, Decision.FAIL), (1.0, Decision.FAIL)],
)
def test_thresholds_belong_to_the_stricter_side(score: float, expected: Decision) -> None:
    assert decide(score, CALIBRATION) is expected


def test_a_spot_of_the_map_becomes_a_box_in_the_original_picture() -> None:
    anomaly_map = np.zeros((128, 128), np.float32)
    anomaly_map[32:40, 64:72] = 0.9

    (region,) = regions(anomaly_map, 0.5, width=1280, height=640)

    assert (region.x, region.y, region.width, region.height) == (640, 160, 80, 40)
    assert region.area == 80 * 40
    assert region.peak == pytest.approx(0.9)


def test_spots_that_touch_at_a_corner_are_one_region_and_the_strongest_comes_first() -> None:
    anomaly_map = np.zeros((8, 8), np.float32)
    anomaly_map[0, 0] = anomaly_map[1, 1] = 0.6
    anomaly_map[6, 6] = 0.9

    found = regions(anomaly_map, 0.5, width=8, height=8)

    assert [(region.x, region.width, region.area) for region in found] == [(6, 1, 1), (0, 2, 2)]


def test_a_map_full_of_speckles_gives_few_regions() -> None:
    anomaly_map = np.zeros((64, 64), np.float32)
    anomaly_map[::2, ::2] = 1

    assert len(regions(anomaly_map, 0.5, width=64, height=64)) == MOST_REGIONS


def test_boxes_stay_inside_a_picture_smaller_than_the_map() -> None:
    (region,) = regions(np.ones((128, 128), np.float32), 0.5, width=30, height=20)

    assert (region.x, region.y, region.width, region.height, region.area) == (0, 0, 30, 20, 600)
