"""What was measured becomes pictures: the worst errors of different groups, curves for every kind, and PNG files that can be read."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.evaluation import Judged, measure, report_of
from training.page import PlotError, new_page
from training.report import draw_report
from training.worst import MOST, WorstErrors, noted


def judged(kind: str, score: float, group: str, *, size: tuple[int, int] = (60, 80)) -> Judged:
    mask = np.zeros(size, bool)
    if kind != "good":
        mask[10:20, 30:50] = True
    _, image = cv2.imencode(".png", np.full((*size, 3), 120, np.uint8))
    return Judged("tiles", kind, score, np.where(mask, score, 0.1).astype(np.float32), mask, group, image=image.tobytes(), name=f"test/{kind}/{group}.png")


def test_the_worst_errors_are_low_defects_and_high_good_parts():
    worst = WorstErrors()

    for frame in (judged("good", 0.2, "a"), judged("good", 0.7, "b"), judged("pit", 0.9, "c"), judged("pit", 0.1, "d")):
        worst.add(frame)

    assert [frame.group for frame in worst.alarms] == ["b", "a"]
    assert [frame.group for frame in worst.missed] == ["d", "c"]


def test_a_group_is_shown_once_by_its_worst_picture_and_no_more_are_kept_than_shown():
    worst = WorstErrors()

    for number in range(50):
        worst.add(judged("pit", 0.9 - number / 100, f"tile-{number % 10}"))

    assert len(worst.missed) == MOST
    assert [frame.score for frame in worst.missed] == pytest.approx([0.41, 0.42, 0.43, 0.44, 0.45, 0.46])


def test_curves_and_worst_errors_are_drawn(tmp_path: Path):
    frames = [judged(kind, score, f"{kind}-{number}") for number in range(4) for kind, score in (("good", 0.2 + number / 20), ("pit", 0.6), ("dent", 0.3))]
    worst: dict[str, WorstErrors] = {}
    lines = measure(noted(frames, worst))

    paths = draw_report(tmp_path / "new", "tiles", lines["tiles"], worst["tiles"], report_of(lines)["lines"]["tiles"], review=0.3)

    assert [path.name for path in paths] == ["tiles-curves.png", "tiles-errors.png"]
    for path in paths:
        picture = cv2.imread(str(path))
        assert min(picture.shape[:2]) > 500
        assert picture.std() > 10


def test_a_line_of_good_parts_alone_is_drawn_too(tmp_path: Path):
    worst: dict[str, WorstErrors] = {}
    lines = measure(noted([judged("good", 0.2, "a"), judged("good", 0.3, "b")], worst))

    paths = draw_report(tmp_path, "tiles", lines["tiles"], worst["tiles"], report_of(lines)["lines"]["tiles"])

    assert all(path.is_file() for path in paths)


def test_without_matplotlib_an_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(PlotError, match="pip install matplotlib"):
        new_page(1, 1)
