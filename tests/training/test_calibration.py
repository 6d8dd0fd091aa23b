"""Thresholds that keep their promise, worked by hand where a hand can."""

import math

import numpy as np
import pytest

from services.contract.inspection import Calibration
from training.calibration import CalibrationError, GoodFrame, allowed_above, calibrate, group_maxima, groups_needed, promised_rate, threshold


def good_frames(scores: list[float], groups: list[str] | None = None) -> list[GoodFrame]:
    names = groups or [str(index) for index in range(len(scores))]
    return [GoodFrame(score=score, map_peak=score / 2, group=group) for score, group in zip(scores, names, strict=True)]


def made(frames: list[GoodFrame], **rates: float):
    return calibrate(frames, line="weave", model_version="a" * 64, weights_sha256="b" * 64, command="loupe calibrate", **rates)


def test_one_percent_needs_299_groups_and_one_in_a_thousand_needs_2995():
    assert groups_needed(0.01) == 299
    assert groups_needed(0.001) == 2995
    assert promised_rate(299, 0) <= 0.01 < promised_rate(298, 0)
    assert promised_rate(2995, 0) <= 0.001 < promised_rate(2994, 0)


def test_the_bound_without_exceedances_is_the_closed_form():
    assert promised_rate(59, 0) == pytest.approx(1 - 0.05 ** (1 / 59), abs=1e-12)
    assert promised_rate(3, 3) == 1.0


def test_more_groups_allow_some_above_the_threshold():
    assert [allowed_above(groups, 0.01) for groups in (298, 299, 472, 473)] == [0, 0, 0, 1]  # 473: the next entry of the published table


def test_the_threshold_stands_just_above_the_largest_good_score_it_excludes():
    maxima = np.linspace(0.9, 0.1, 299)

    chosen = threshold(maxima, 0.01)

    assert chosen.kept
    assert chosen.value == math.nextafter(0.9, math.inf)
    assert chosen.above == 0


def test_too_few_groups_say_what_they_can_promise():
    result = made(good_frames([0.1 + index / 1000 for index in range(50)]), review_rate=0.01, fail_rate=0.001)

    assert not result.review.kept
    assert result.review.value > 0.149
    assert result.review.promised == pytest.approx(1 - 0.05 ** (1 / 50))
    assert result.to_dict()["kept"] == {"review": False, "fail": False, "map": False}


def test_a_fail_threshold_that_the_frames_cannot_place_still_stands_above_review():
    result = made(good_frames(list(np.random.default_rng(3).beta(2, 20, 400))), review_rate=0.01, fail_rate=0.001)

    assert result.review.kept
    assert result.review.value < result.fail.value < 1
    assert not result.fail.kept


def test_frames_of_one_group_are_one_piece_of_evidence():
    """Six exposures of 50 tiles are 50 groups, and a tile counts with its worst exposure."""
    scores = [0.1 + exposure / 100 for _ in range(50) for exposure in range(6)]
    groups = [f"tile {tile}" for tile in range(50) for _ in range(6)]

    result = made(good_frames(scores, groups))

    assert (result.groups, result.frames) == (50, 300)
    assert group_maxima(scores, groups).tolist() == pytest.approx([0.15] * 50)


def test_equal_scores_are_all_passed():
    result = made(good_frames([0.25] * 700))

    assert result.review.above == 0
    assert result.review.promised == promised_rate(700, 0)
    assert result.review.value < result.fail.value


@pytest.mark.parametrize("seed", range(3))
def test_the_promise_holds_on_fresh_frames(seed: int):
    generator = np.random.default_rng(seed)

    result = made(good_frames(list(generator.beta(2, 20, 1000))), review_rate=0.02, fail_rate=0.005)

    fresh = generator.beta(2, 20, 200_000)
    assert (fresh >= result.review.value).mean() <= result.review.promised <= 0.02
    assert (fresh >= result.fail.value).mean() <= result.fail.promised <= 0.005


def test_the_file_is_a_calibration_of_the_contract():
    result = made(good_frames([0.1, 0.2, 0.3]))

    read = Calibration.model_validate(result.to_dict())

    assert read == result.calibration
    assert read.map_threshold == pytest.approx(0.15)
    assert "model_version" not in result.suggestion()


def test_rates_in_the_wrong_order_and_missing_frames_are_refused():
    with pytest.raises(CalibrationError, match=r"review 0\.001 and fail 0\.01"):
        made(good_frames([0.1]), review_rate=0.001, fail_rate=0.01)
    with pytest.raises(CalibrationError, match="at least one"):
        made([])
    with pytest.raises(CalibrationError, match="finite"):
        made(good_frames([math.nan]))
