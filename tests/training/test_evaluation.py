"""Streaming metrics equal scikit-learn's on frames that fit into memory."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from training.evaluation import BaselineMeasurement, Difference, Judged, MedianBaseline, PixelCurve, evaluate, log_odds


def judged(line: str, kind: str, score: float, *, seed: int = 0, side: int = 32) -> Judged:
    generator = np.random.default_rng(seed)
    mask = np.zeros((side, side), bool)
    if kind != "good":
        mask[4:12, 4:12] = True
    anomaly_map = generator.beta(2, 5, (side, side)).astype(np.float32) + np.where(mask, 0.2, 0).astype(np.float32)
    return Judged(line, kind, score, np.clip(anomaly_map, 0, 1), mask)


def test_pixel_metrics_equal_scikit_learn():
    frames = [judged("a", "scratch" if index % 2 else "good", 0.5, seed=index) for index in range(20)]
    curve = PixelCurve()

    for frame in frames:
        curve.add(frame.anomaly_map, frame.mask)

    truth = np.concatenate([frame.mask.ravel() for frame in frames])
    scores = np.concatenate([frame.anomaly_map.ravel() for frame in frames])
    assert curve.average_precision() == pytest.approx(average_precision_score(truth, scores), abs=1e-3)
    assert curve.auroc() == pytest.approx(roc_auc_score(truth, scores), abs=1e-4)


def test_probabilities_next_to_one_stay_apart():
    """A softmax saturates: 1 - 1e-6 and 1 - 1e-5 differ by 9e-6, but by 2.3 in log-odds."""
    curve = PixelCurve()

    curve.add(np.array([[1 - 1e-6, 1 - 1e-5]], np.float32), np.array([[True, False]]))

    assert curve.average_precision() == 1.0


def test_pixels_are_measured_at_the_resolution_of_the_mask():
    curve = PixelCurve()

    curve.add(np.full((16, 16), 0.5, np.float32), np.ones((100, 200), bool))

    assert curve.defective.sum() == 100 * 200


def test_without_a_defective_pixel_there_is_no_precision():
    curve = PixelCurve()

    curve.add(np.zeros((4, 4), np.float32), np.zeros((4, 4), bool))

    assert curve.average_precision() is None
    assert curve.auroc() is None


def test_totals_are_means_over_lines_and_the_lowest_is_named():
    easy = [judged("easy", kind, score) for kind, score in (("good", 0.1), ("pit", 0.9))]
    hard = [judged("hard", kind, score) for kind, score in (("good", 0.1), ("good", 0.8), ("pit", 0.5))]

    report = evaluate(easy + hard, review={"hard": 0.6})

    assert report["image_auroc"] == pytest.approx((1.0 + 0.5) / 2)
    assert report["lowest_line"]["line"] == "hard"
    assert report["frames"] == 5
    assert report["lines"]["hard"]["kinds"] == {"pit": {"frames": 1, "image_auroc": 0.5}}
    assert (report["lines"]["hard"]["passed_good"], report["lines"]["hard"]["flagged_defective"]) == (0.5, 0.0)


def test_of_two_lines_that_separate_all_parts_the_one_that_finds_fewer_pixels_is_the_lowest():
    sharp = [judged("a", "good", 0.1), judged("a", "pit", 0.9, seed=1)]
    blurred = [replace(frame, line="b", anomaly_map=1 - frame.anomaly_map) for frame in sharp]

    report = evaluate(sharp + blurred)

    assert report["lines"]["a"]["image_auroc"] == report["lines"]["b"]["image_auroc"]
    assert report["lowest_line"]["line"] == "b"


def test_a_line_without_defects_has_no_auroc():
    report = evaluate([judged("a", "good", 0.1)])

    assert report["image_auroc"] is None
    assert report["lowest_line"] is None


def test_values_outside_probabilities_are_refused():
    with pytest.raises(ValueError, match=r"0\.\.1"):
        log_odds(np.array([1.5]))


def test_the_median_baseline_sees_a_bright_spot():
    plain = np.full((32, 32, 3), 100, np.uint8)
    spotted = plain.copy()
    spotted[10:16, 10:16] = 255
    baseline, measured = MedianBaseline([plain] * 5, window=5), BaselineMeasurement()

    measured.add("a", "good", baseline.difference(plain))
    measured.add("a", "spot", baseline.difference(spotted))

    assert measured.report() == {"baseline_image_auroc": 1.0, "baseline_lines": {"a": 1.0}}


def test_the_better_number_of_the_baseline_counts():
    """A small spot on a line whose light varies: the mean difference is blind to it, the worst window is not."""
    measured = BaselineMeasurement()
    for kind, mean, worst in (("good", 9, 1), ("good", 8, 1), ("spot", 1, 5)):
        measured.add("a", kind, Difference(mean, worst))

    assert measured.report()["baseline_image_auroc"] == 1.0
