"""What the plain difference to a median picture finds, so that a network has a bar to clear."""

import numpy as np

from training.baseline import BaselineMeasurement, Difference, MedianBaseline


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
