"""Frames around swaps become a report: what is missing, what says the wrong version, and what a swap adds to the slowest frame."""

from datetime import timedelta

import pytest

from services.cli.measuring.swap_report import Course, Swap, SwapReport, report
from services.contract.inspection import Inspection, Outcome
from tests.builders import CAPTURED_AT, make_inspection

SWAP = Swap(CAPTURED_AT + timedelta(seconds=10), CAPTURED_AT + timedelta(seconds=12))
EXPECTED = {"a": [0.2, 0.3], "b": [0.6, 0.7]}


def inspected(sequence: int, version: str, *, latency_ms: float = 100, score: float | None = None) -> Inspection:
    made = make_inspection(sequence, model_version=version, score=EXPECTED[version][sequence % 2] if score is None else score)
    timings = made.timings.model_copy(update={"written_at": made.timings.captured_at + timedelta(milliseconds=latency_ms)})
    return made.model_copy(update={"timings": timings})


def reported(*inspections: Inspection, sent: int = 20) -> SwapReport:
    course = Course(EXPECTED, promoted=[SWAP])
    pictures = {make_inspection(number).frame_id: number % 2 for number in range(sent)}
    return report(course, pictures, inspections, capacity=4, seconds=10, replicas=1, own_stack=True)


def test_all_is_well_where_every_score_is_that_of_its_stamp() -> None:
    found = reported(*(inspected(number, "a" if number < 11 else "b", latency_ms=150 if number == 11 else 100) for number in range(20)))

    assert (found.lost, found.double, found.mis_stamped, found.errors) == (0, 0, 0, 0)
    assert (found.frames, found.frames_in_swaps, found.load) == (20, 4, 0.5)
    assert (found.max_swaps_ms, found.max_between_ms, found.max_added_ms) == (150, 100, 50)
    assert (found.promotions, found.promotion_s_p50) == (1, 2)


@pytest.mark.parametrize(("version", "score"), [("a", 0.6), ("b", 0.2)])
def test_a_score_of_the_other_version_is_a_wrong_stamp(version: str, score: float) -> None:
    assert reported(inspected(0, version, score=score)).mis_stamped == 1


def test_what_is_missing_twice_there_or_not_judged_is_counted() -> None:
    unjudged = inspected(3, "a").model_copy(update={"outcome": Outcome.RECORDED})

    found = reported(inspected(0, "a"), inspected(0, "a"), unjudged, sent=4)

    assert (found.lost, found.double, found.errors) == (2, 1, 1)
