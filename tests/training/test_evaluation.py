"""Judged frames become metrics by line, by kind of defect and as means, each with an interval over groups."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from training import evaluation
from training.evaluation import MEASURES, Judged, evaluate, measure


def judged(line: str, kind: str, score: float, *, seed: int = 0, side: int = 32) -> Judged:
    generator = np.random.default_rng(seed)
    mask = np.zeros((side, side), bool)
    if kind != "good":
        mask[4:12, 4:12] = True
    anomaly_map = generator.beta(2, 5, (side, side)).astype(np.float32) + np.where(mask, 0.2, 0).astype(np.float32)
    return Judged(line, kind, score, np.clip(anomaly_map, 0, 1), mask, group=f"{kind}-{seed}")


def make_line(line: str = "a", *, pictures: int = 24) -> list[Judged]:
    """Good parts, pits and scratches by turns, the scratches hard to tell."""
    scores = np.random.default_rng(1).normal(0.3, 0.1, pictures)
    kinds = ("good", "pit", "scratch")
    return [judged(line, kinds[index % 3], scores[index] + (0, 0.4, 0.05)[index % 3], seed=index) for index in range(pictures)]


def test_totals_are_means_over_lines_and_the_lowest_is_named():
    easy = [judged("easy", kind, score) for kind, score in (("good", 0.1), ("pit", 0.9))]
    hard = [judged("hard", kind, score) for kind, score in (("good", 0.1), ("good", 0.8), ("pit", 0.5))]

    report = evaluate(easy + hard, review={"hard": 0.6})

    assert report["image_auroc"] == pytest.approx((1.0 + 0.5) / 2)
    assert report["lowest_line"]["line"] == "hard"
    assert report["frames"] == 5
    assert report["kinds"]["hard/pit"]["image_auroc"] == 0.5
    assert (report["lines"]["hard"]["passed_good"], report["lines"]["hard"]["flagged_defective"]) == (0.5, 0.0)


def test_of_two_lines_that_separate_all_parts_the_one_that_finds_fewer_pixels_is_the_lowest():
    sharp = [judged("a", "good", 0.1), judged("a", "pit", 0.9, seed=1)]
    blurred = [replace(frame, line="b", anomaly_map=1 - frame.anomaly_map) for frame in sharp]

    report = evaluate(sharp + blurred)

    assert report["lines"]["a"]["image_auroc"] == report["lines"]["b"]["image_auroc"]
    assert report["lowest_line"]["line"] == "b"


def test_image_metrics_are_scikit_learns():
    frames = make_line()

    report = evaluate(frames)

    truth, scores = [not frame.good for frame in frames], [frame.score for frame in frames]
    assert report["image_auroc"] == roc_auc_score(truth, scores)
    assert report["image_ap"] == average_precision_score(truth, scores)


def test_a_kind_of_defect_is_measured_against_the_good_frames_alone():
    frames = make_line()

    kinds = evaluate(frames)["kinds"]

    alone = evaluate([frame for frame in frames if frame.kind != "scratch"])
    assert kinds["pit"] == {"frames": 8, "groups": 8, **{name: alone[name] for name in (*MEASURES, "intervals")}}
    assert kinds["pit"]["image_auroc"] > kinds["scratch"]["image_auroc"]


def test_every_measure_lies_within_its_interval():
    report = evaluate(make_line() + make_line("b"))

    for part in (report, report["lines"]["a"], report["kinds"]["a/pit"]):
        for name in MEASURES:
            low, high = part["intervals"][name]
            assert low <= part[name] <= high


def test_pictures_of_one_group_are_one_piece_of_evidence():
    """Every frame shown three times changes no interval; told to be parts of their own, they would narrow it."""
    frames = make_line()
    again = [replace(frame, group=f"{frame.group}-{turn}") for frame in frames for turn in range(3)]

    once, thrice, apart = (evaluate(shown)["intervals"]["pixel_ap"] for shown in (frames, frames * 3, again))

    assert thrice == pytest.approx(once)
    assert apart[1] - apart[0] < once[1] - once[0]


def test_groups_beyond_the_most_that_are_kept_share_their_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluation, "MOST_BUNDLES", 6)
    frames = make_line(pictures=60)

    report = evaluate(frames)

    assert len(measure(frames)["a"].deviations(["pit"])["aupro"])
    assert report["lines"]["a"]["groups"] == 60
    assert set(measure(frames)["a"].bundles) == set(range(6))


def test_a_line_without_defects_has_no_auroc():
    report = evaluate([judged("a", "good", 0.1)])

    assert report["image_auroc"] is None
    assert report["intervals"]["image_auroc"] is None
    assert report["lowest_line"] is None
