"""Counted pixel by pixel, the curves equal those over all pixels at once: scikit-learn's, and AUPRO by its definition."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from training.curves import Map, Mask, PixelCurve, auroc, average_precision, log_odds


def make_frames(count: int, *, seed: int = 0) -> list[tuple[Map, Mask]]:
    """Every second one with three bright rectangles, some of which touch."""
    dice = np.random.default_rng(seed)
    frames = []
    for index in range(count):
        mask = np.zeros((48, 64), bool)
        for top, left in dice.integers(0, 36, (3, 2)) if index % 2 else ():
            mask[top : top + dice.integers(1, 12), left : left + dice.integers(1, 12)] = True
        frames.append((np.clip(dice.beta(2, 5, mask.shape) + 0.2 * mask, 0, 1).astype(np.float32), mask))
    return frames


def curve_of(frames: list[tuple[Map, Mask]]) -> PixelCurve:
    curve = PixelCurve()
    for anomaly_map, mask in frames:
        curve.add(anomaly_map, mask)
    return curve


def exact_aupro(frames: list[tuple[Map, Mask]], limit: float) -> float:
    """Every value is a threshold, every component a list of pixels."""
    thresholds = np.unique(np.concatenate([anomaly_map.ravel() for anomaly_map, _ in frames]))[::-1]
    components = []
    for anomaly_map, mask in frames:
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        components += [anomaly_map[labels == number] for number in range(1, count + 1)]
    overlap = np.mean([share_from(component, thresholds) for component in components], axis=0)
    false = share_from(np.concatenate([anomaly_map[~mask] for anomaly_map, mask in frames]), thresholds)
    inside = false <= limit
    x, y = np.append(false[inside], limit), np.append(overlap[inside], np.interp(limit, false, overlap))
    return float(np.trapezoid(np.insert(y, 0, 0), np.insert(x, 0, 0)) / limit)


def share_from(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return 1 - np.searchsorted(np.sort(values), thresholds) / len(values)


def test_average_precision_and_auroc_equal_scikit_learn():
    frames = make_frames(20)

    curve = curve_of(frames)

    scores, truth = (np.concatenate([frame[part].ravel() for frame in frames]) for part in (0, 1))
    assert curve.average_precision() == pytest.approx(average_precision_score(truth, scores), abs=1e-3)
    assert curve.auroc() == pytest.approx(roc_auc_score(truth, scores), abs=1e-4)


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_aupro_equals_its_definition(limit: float):
    frames = make_frames(12)

    assert curve_of(frames).aupro(limit) == pytest.approx(exact_aupro(frames, limit), abs=1e-4)


def test_a_small_defect_counts_as_much_as_a_large_one():
    """The large one is found at once and the small one, of a single pixel, never."""
    mask = np.zeros((20, 20), bool)
    mask[:10, :10] = mask[15, 15] = True
    anomaly_map = np.where(mask, 0.9, 0.1).astype(np.float32)
    anomaly_map[15, 15] = 0.01

    assert curve_of([(anomaly_map, mask)]).aupro() == pytest.approx(0.5)


def test_components_that_touch_at_a_corner_are_one():
    mask = np.zeros((8, 8), bool)
    mask[2, 2] = mask[3, 3] = mask[6, 6] = True

    assert curve_of([(np.full((8, 8), 0.5, np.float32), mask)]).overlap.sum() == pytest.approx(2)


def test_probabilities_next_to_one_stay_apart():
    """A softmax saturates: 1 - 1e-6 and 1 - 1e-5 differ by 9e-6, but by 2.3 in log-odds."""
    curve = curve_of([(np.array([[1 - 1e-6, 1 - 1e-5]], np.float32), np.array([[True, False]]))])

    assert curve.average_precision() == 1.0


def test_pixels_are_measured_at_the_resolution_of_the_mask():
    curve = curve_of([(np.full((16, 16), 0.5, np.float32), np.ones((100, 200), bool))])

    assert curve.defective.sum() == 100 * 200


def test_without_a_defective_pixel_there_is_nothing_to_find():
    curve = curve_of([(np.zeros((4, 4), np.float32), np.zeros((4, 4), bool))])

    assert (curve.average_precision(), curve.auroc(), curve.aupro()) == (None, None, None)


def test_fewer_bins_hold_the_same_pixels():
    curve = curve_of(make_frames(12))

    normal, defective, overlap = curve.coarse(4096)[:, ::-1]

    assert (normal.sum(), defective.sum()) == (curve.normal.sum(), curve.defective.sum())
    assert average_precision(defective, normal) == pytest.approx(curve.average_precision(), abs=1e-3)
    assert auroc(overlap, normal, limit=0.3) == pytest.approx(curve.aupro(), abs=1e-3)


def test_values_outside_probabilities_are_refused():
    with pytest.raises(ValueError, match=r"0\.\.1"):
        log_odds(np.array([1.5]))
