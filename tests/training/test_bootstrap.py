"""Groups drawn again: each draw is what scikit-learn says of so weighted frames, and an interval is as wide as the groups are few."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from training.bootstrap import DRAWS, draw, image_deviations, interval, pixel_deviations


def make_scores(groups: int, frames_each: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half of the groups defective, their frames nearly alike: group, score and truth of each frame."""
    dice = np.random.default_rng(0)
    group = np.repeat(np.arange(groups), frames_each)
    defective = group % 2 == 1
    return group, np.round(dice.normal(size=groups)[group] + 0.8 * defective + dice.normal(0, 0.01, len(group)), 2), defective


def width(groups: int, frames_each: int) -> float:
    group, scores, defective = make_scores(groups, frames_each)
    drawn = draw(np.arange(groups) % 2 == 1)
    low, high = interval(0.7, image_deviations(drawn, group, scores, defective)["image_auroc"])
    return high - low


def test_a_draw_weighs_frames_by_how_often_their_group_came():
    group, scores, defective = make_scores(12, 5)
    drawn = draw(np.arange(12) % 2 == 1)

    deviations = image_deviations(drawn, group, scores, defective)

    for name, measure in (("image_auroc", roc_auc_score), ("image_ap", average_precision_score)):
        expected = [measure(defective, scores, sample_weight=weights[group]) - measure(defective, scores) for weights in drawn[:5]]
        assert deviations[name][:5] == pytest.approx(expected)


def test_good_and_defective_groups_are_drawn_apart():
    drawn = draw(np.array([True, True, False, False, False]))

    assert drawn.shape == (DRAWS, 5)
    assert set(drawn[:, :2].sum(axis=1)) == {2}
    assert set(drawn[:, 2:].sum(axis=1)) == {3}


def test_more_frames_of_the_same_groups_do_not_narrow_an_interval():
    assert width(40, 8) == pytest.approx(width(40, 1), rel=0.1)
    assert width(160, 1) < 0.7 * width(40, 1)


def test_pixels_are_weighed_like_frames():
    """Two groups of each kind, one of which is found and one is not: a draw has it twice, once or never."""
    counts = np.zeros((4, 3, 2))  # good, good, missed, found
    counts[:2, 0, 0] = 100
    counts[2, 1:, 0] = counts[3, 1:, 1] = 10, 1
    drawn = draw(np.array([False, False, True, True]))

    deviations = pixel_deviations(drawn, counts, limit=0.3)

    found = drawn[:, 3] / 2 - 0.5
    np.testing.assert_allclose(deviations["aupro"], found * (1 - 0.15), atol=1e-12)
    np.testing.assert_allclose(deviations["pixel_ap"], found * (1 - 20 / 220), atol=1e-12)


def test_one_group_alone_has_no_interval():
    assert draw(np.array([True, False, False])) is None
    assert interval(0.5, None) is None
