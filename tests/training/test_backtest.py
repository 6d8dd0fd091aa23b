"""Frames decided twice are counted by camera, the largest changes are named first, and of many frames an even share is kept."""

import pytest

from tests.builders import CAPTURED_AT
from training.backtest import CHANGES, Evenly, Replayed, report_of


def replayed(number: int, before: float, after: float, *, camera: str = "top", threshold: float = 0.5) -> Replayed:
    frame = f"metal/{camera}/s1/{number}"
    return Replayed(frame, camera, CAPTURED_AT, "line", before, before >= threshold, after, after >= threshold)


def test_frames_that_change_are_counted_by_camera_and_named_the_largest_change_first():
    frames = [replayed(1, 0.1, 0.2), replayed(2, 0.4, 0.6), replayed(3, 0.9, 0.1), replayed(4, 0.45, 0.99, camera="side")]

    report = report_of(frames)

    assert (report["frames"], report["agreement"], report["newly_flagged"], report["no_longer_flagged"]) == (4, 0.25, 2, 1)
    assert report["by_camera"]["side"] == {"frames": 1, "newly_flagged": 1, "no_longer_flagged": 0}
    assert [(one["frame_id"], one["flagged"]) for one in report["changes"]] == [
        ("metal/side/s1/4", True),
        ("metal/top/s1/3", False),
        ("metal/top/s1/2", True),
    ]


def test_without_frames_nobody_can_say_how_far_they_agree():
    assert report_of([])["agreement"] is None


def test_no_more_changes_are_named_than_fit_a_report():
    report = report_of([replayed(number, 0.1, 0.9) for number in range(2 * CHANGES)])

    assert (report["newly_flagged"], len(report["changes"])) == (2 * CHANGES, CHANGES)


@pytest.mark.parametrize("number", [3, 10, 11, 1000])
def test_of_many_frames_every_nth_of_each_camera_is_kept(number: int):
    sample: Evenly[int] = Evenly(10)
    for place in range(number):
        sample.add("top", place)
    sample.add("side", -1)

    kept = sample.kept()

    assert sample.seen == number + 1
    assert min(number, 5) <= len(kept) <= 11
    assert kept == [*range(0, number, sample.stride), -1]
