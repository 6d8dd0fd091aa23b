"""Who is asked twice, and figures worked by hand."""

from typing import Any

import pytest

from services.contract.inspection import Decision
from services.contract.verdict import Answer, Verdict
from services.review.agreement import Pair, between_reviewers, goes_to_second, with_machine
from tests.builders import CAPTURED_AT

D, G = Answer.DEFECT, Answer.GOOD


def verdict(answer: Answer, *, line: str = "metal", **fields: Any) -> Verdict:
    made: dict[str, Any] = {"verdict_id": "v", "frame_id": f"{line}/top/s1/1", "answer": answer, "given_by": "anna", "given_at": CAPTURED_AT}
    return Verdict(**{**made, "frame_path": "frames/aa", "captured_at": CAPTURED_AT, **fields})


def pairs(*answers: tuple[Answer, Answer]) -> list[Pair]:
    return [Pair(verdict(first), verdict(second, second=True)) for first, second in answers]


def test_a_share_is_drawn_by_the_frames_id_and_a_larger_one_holds_a_smaller_one() -> None:
    ids = [f"metal/top/s1/{number}" for number in range(4000)]

    tenth, fifth = ({one for one in ids if goes_to_second(one, share)} for share in (0.1, 0.2))

    assert tenth < fifth
    assert len(tenth) == pytest.approx(400, abs=80)
    assert not any(goes_to_second(one, 0) for one in ids)
    assert all(goes_to_second(one, 1) for one in ids)


def test_agreement_between_two_reviewers() -> None:
    found = between_reviewers(pairs((D, D), (D, D), (D, G), (G, G), (G, G), (G, G), (G, G), (G, D)))

    assert (found.pairs, found.both_defect, found.both_good, found.only_first_defect, found.only_second_defect) == (8, 2, 4, 1, 1)
    assert found.agreement == 0.75
    assert found.kappa == pytest.approx((0.75 - (9 + 25) / 64) / (1 - (9 + 25) / 64))


def test_where_all_say_the_same_kappa_says_nothing() -> None:
    assert between_reviewers(pairs((G, G), (G, G))).kappa is None
    assert between_reviewers([]).agreement is None


def test_classes_are_compared_where_both_gave_one() -> None:
    found = between_reviewers([Pair(verdict(D, defect_class="scratch"), verdict(D, defect_class=name)) for name in ("scratch", "dent", None)])

    assert (found.classed, found.same_class) == (2, 1)


def test_what_the_machine_rejected_and_missed_is_told_by_line() -> None:
    flagged = [verdict(answer, decision=Decision.FAIL) for answer in (D, D, G)]
    passed = [verdict(G, decision=Decision.PASS, probability=0.01), verdict(D, decision=Decision.PASS, probability=0.1)]

    found = with_machine([*flagged, *passed, verdict(G, line="fabric", decision=Decision.FAIL)], "metal")

    assert (found.flagged, found.false_rejects, found.passed, found.missed) == (3, 1, 2, 1)
    assert found.missed_share == pytest.approx(10 / 110)
