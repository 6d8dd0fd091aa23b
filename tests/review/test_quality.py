"""How well the machine decided, with figures worked by hand."""

from typing import Any

import pytest

from services.contract.inspection import Decision
from services.contract.verdict import Answer, Verdict
from services.review.quality import Inspected, Share, people, quality
from tests.builders import CAPTURED_AT


def verdict(answer: str, decision: Decision = Decision.FAIL, *, by: str = "anna", **fields: Any) -> Verdict:
    made: dict[str, Any] = {"verdict_id": "v", "frame_id": "metal/top/s1/1", "answer": Answer(answer), "given_by": by, "given_at": CAPTURED_AT}
    return Verdict(**{**made, "frame_path": "frames/aa", "captured_at": CAPTURED_AT, "decision": decision, **fields})


def test_a_share_has_wilsons_interval() -> None:
    found = Share.of([True] * 3 + [False] * 7, [1] * 10)

    assert found is not None
    assert (found.value, found.low, found.high, found.answers) == pytest.approx((0.3, 0.1078, 0.6032, 10), abs=1e-4)


def test_none_among_many_bounds_a_share_from_above_and_nobodys_answer_tells_nothing() -> None:
    found = Share.of([False] * 100, [1] * 100)

    assert found is not None
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(0.037, abs=1e-3)
    assert Share.of([], []) is None


def test_answers_of_different_weight_are_worth_less_than_their_number() -> None:
    alike, unlike = Share.of([True, False] * 10, [5] * 20), Share.of([True, False] * 10, [1, 1] * 9 + [50, 50])

    assert alike is not None
    assert unlike is not None
    assert alike.value == unlike.value == 0.5
    assert unlike.high - unlike.low > 1.5 * (alike.high - alike.low)


def test_verdicts_are_counted_by_what_they_say() -> None:
    found = quality(
        [
            verdict("defect", defect_class="scratch"),
            verdict("defect", defect_class="scratch", mask_path="masks/aa", mask_source="person"),
            verdict("defect", Decision.REVIEW, defect_class="dent", mask_path="masks/aa", mask_source="map"),
            verdict("good", Decision.REVIEW),
        ],
        Inspected(passed=960, flagged=40),
    )

    assert (found.confirmed, found.corrected, found.good, found.classes) == (2, 1, 1, {"scratch": 2, "dent": 1})
    assert found.wrong_flags is not None
    assert (found.wrong_flags.value, found.wrong_flags.answers) == (0.25, 4)
    assert found.escapes is None
    assert found.false_rejects is not None
    assert found.false_rejects.value == pytest.approx(10 / 970)  # a quarter of 40 flagged, of all that are good
    assert found.false_rejects.low < found.false_rejects.value < found.false_rejects.high


def test_blind_checks_tell_what_escaped_each_by_its_weight() -> None:
    blind = {"reason": "blind-check", "blind": True}
    found = quality(
        [verdict("good", Decision.PASS, probability=0.01, **blind)] * 8
        + [verdict("defect", Decision.PASS, probability=0.01, **blind), verdict("good", Decision.PASS, probability=0.1, **blind)],
        Inspected(passed=1000, flagged=0),
    )

    assert found.escapes is not None
    assert found.escapes.value == pytest.approx(100 / 910)
    assert found.wrong_flags is None
    assert found.false_rejects is None


def test_people_agree_where_two_looked() -> None:
    first, other = verdict("defect"), verdict("good", by="bert", second=True)

    anna, bert = people([(first, None), (first, other), (verdict("good"), other)])

    assert (anna.name, anna.answers, anna.defects, anna.pairs, anna.agreed) == ("anna", 3, 2, 2, 1)
    assert (bert.name, bert.answers, bert.defects, bert.pairs, bert.agreed) == ("bert", 2, 0, 2, 1)
