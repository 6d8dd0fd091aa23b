"""What the gate answers of a candidate, and by which numbers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from training.evaluation import Judged
from training.gate import Contender, compare
from training.gate_rule import Answer, Rule

REVIEW = 0.5
RULE = Rule(good_groups=10, defective_groups=6)


def frame(number: int, score: float, *, defective: bool, map_contrast: float = 0.4) -> Judged:
    mask = np.zeros((16, 16), bool)
    if defective:
        mask[4:8, 4:8] = True
    noise = np.random.default_rng(number).uniform(0.1, 0.4, (16, 16)).astype(np.float32)
    return Judged(
        "metal",
        "scratch" if defective else "good",
        score,
        (noise + map_contrast * mask).astype(np.float32),
        mask,
        f"part-{number}",
        name=f"metal/top/s/{number}",
    )


def held_out(good: int = 30, defective: int = 12) -> list[Judged]:
    """Defects score .8, good parts .2."""
    return [frame(number, 0.2, defective=False) for number in range(good)] + [frame(100 + number, 0.8, defective=True) for number in range(defective)]


def changed(frames: list[Judged], change: Callable[[Judged], Judged]) -> list[Judged]:
    return [change(one) for one in frames]


def contender(frames: list[Judged], name: str = "champion", weight: float = 1.0) -> Contender:
    return Contender.of(name, REVIEW, [(one, weight if one.good else 1.0) for one in frames])


def passes_one_defect(one: Judged) -> Judged:
    return replace(one, score=0.3) if one.group == "part-100" else one


def test_the_same_again_passes_and_every_difference_is_nought() -> None:
    report = compare(contender(held_out()), contender(held_out(), "candidate"), RULE)

    assert report["answer"] == Answer.PASSED
    assert {name: found["difference"] for name, found in report["measures"].items()} == {"image_auroc": 0, "image_ap": 0, "pixel_ap": 0}
    assert report["measures"]["pixel_ap"]["interval"] == [0, 0]
    assert (report["false_rejects"]["champion"], report["recall"]["champion"]) == (0, 1)
    assert (report["recall"]["lost"], report["changes"]) == ([], [])
    assert report["evidence"] == {"frames": 42, "good": 30, "defective": 12, "good_groups": 30, "defective_groups": 12}


def test_a_confirmed_defect_that_would_pass_refuses_and_is_named() -> None:
    report = compare(contender(held_out()), contender(changed(held_out(), passes_one_defect)), RULE)

    assert report["answer"] == Answer.REFUSED
    assert report["recall"]["lost"] == ["metal/top/s/100"]
    assert any("1 that the champion flags would pass" in reason for reason in report["reasons"])
    assert report["changes"] == [{"frame_id": "metal/top/s/100", "kind": "scratch", "champion": 0.8, "candidate": 0.3, "worse": True, "golden": False}]


def test_a_lost_defect_that_another_makes_up_for_is_told_and_not_refused() -> None:
    other = [replace(one, score=0.3) if one.group == "part-101" else one for one in held_out()]

    report = compare(contender(other), contender(changed(held_out(), passes_one_defect)), RULE)

    assert report["answer"] == Answer.PASSED
    assert (report["recall"]["lost"], report["recall"]["won"]) == (["metal/top/s/100"], ["metal/top/s/101"])
    assert [change["worse"] for change in report["changes"]] == [True, False]


def test_more_flagged_good_frames_than_the_rule_allows_refuse() -> None:
    noisy = [replace(one, score=0.6) if one.group in {"part-0", "part-1"} else one for one in held_out()]

    report = compare(contender(held_out()), contender(noisy), replace(RULE, fall=1.0))

    assert report["answer"] == Answer.REFUSED
    assert report["false_rejects"]["candidate"] == pytest.approx(2 / 30)
    low, high = report["false_rejects"]["interval"]
    assert low <= 2 / 30 <= high
    assert report["reasons"] == ["good frames flagged: rose from 0.0% to 6.7%, more than 2.0%"]


def test_a_blind_check_stands_for_as_many_frames_as_it_was_drawn_from() -> None:
    """One of thirty good frames is flagged, and it alone was drawn with a chance of one in ten."""
    frames = [replace(one, score=0.6) if one.group == "part-0" else one for one in held_out()]
    weighed = Contender.of("candidate", REVIEW, [(one, 10.0 if one.group == "part-0" else 1.0) for one in frames])

    report = compare(weighed, weighed, RULE)

    assert report["false_rejects"]["candidate"] == pytest.approx(10 / 39)


def test_a_map_that_finds_fewer_pixels_refuses_though_no_decision_changes() -> None:
    blurred = [frame(int(one.name.split("/")[-1]), one.score, defective=not one.good, map_contrast=0.0) for one in held_out()]

    report = compare(contender(held_out()), contender(blurred), RULE)

    assert report["answer"] == Answer.REFUSED
    assert report["measures"]["pixel_ap"]["interval"][1] < -RULE.fall
    assert any(reason.startswith("pixel_ap: fell from 1.000") for reason in report["reasons"])


@pytest.mark.parametrize(
    ("good", "defective", "word"),
    [(9, 12, "held-out good groups: the rule asks for 10, there are 9"), (30, 5, "held-out defective groups: the rule asks for 6, there are 5")],
)
def test_too_few_groups_are_insufficient_however_the_numbers_look(good: int, defective: int, word: str) -> None:
    for candidate in (held_out(good, defective), changed(held_out(good, defective), passes_one_defect)):
        report = compare(contender(held_out(good, defective)), contender(candidate), RULE)

        assert report["answer"] == Answer.INSUFFICIENT
        assert word in report["reasons"]


def test_pictures_of_one_part_are_one_piece_of_evidence() -> None:
    one_part = [replace(one, group="part-100") if not one.good else one for one in held_out()]

    report = compare(contender(one_part), contender(one_part), RULE)

    assert report["answer"] == Answer.INSUFFICIENT
    assert report["evidence"]["defective_groups"] == 1
    assert report["measures"]["image_auroc"]["interval"] is None


def test_nothing_held_out_is_an_answer_too() -> None:
    report = compare(contender([]), contender([]), RULE)

    assert report["answer"] == Answer.INSUFFICIENT
    assert report["measures"]["image_auroc"] == {"champion": None, "candidate": None, "difference": None, "interval": None}


def test_each_uses_its_own_threshold() -> None:
    higher = Contender.of("candidate", 0.9, [(one, 1.0) for one in held_out()])

    report = compare(contender(held_out()), higher, RULE)

    assert len(report["recall"]["lost"]) == 12
    assert report["candidate"] == {"model_version": "candidate", "review": 0.9}


def test_other_frames_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="expected both on the same frames, got 42 and 41"):
        compare(contender(held_out()), contender(held_out()[:-1]), RULE)


def golden(*scores: float, name: str = "champion") -> Contender:
    """A scratch, a good part, a scratch: champion and candidate score each."""
    return contender([frame(900 + number, score, defective=number != 1) for number, score in enumerate(scores)], name)


@pytest.mark.parametrize("asked", ["no worse", "every"])
def test_a_golden_frame_that_is_lost_refuses_whatever_the_evidence(asked: Literal["no worse", "every"]) -> None:
    rule = replace(RULE, golden=asked)
    few = held_out(good=2, defective=2)

    report = compare(contender(few), contender(few), rule, golden=(golden(0.8, 0.2, 0.8), golden(0.8, 0.7, 0.8, name="candidate")))

    assert (report["answer"], report["golden"]) == (Answer.REFUSED, {"frames": 3, "champion_wrong": 0, "candidate_wrong": 1, "lost": 1})
    assert report["reasons"][0].startswith("golden set: 1 of 3 ")
    assert report["changes"] == [{"frame_id": "metal/top/s/901", "kind": "good", "champion": 0.2, "candidate": 0.7, "worse": True, "golden": True}]
    assert report["evidence"]["frames"] == 4  # golden frames were chosen, they are no evidence of shares


def test_a_golden_frame_that_both_get_wrong_refuses_only_where_every_one_counts() -> None:
    both = (golden(0.3, 0.2, 0.8), golden(0.4, 0.2, 0.9, name="candidate"))

    lenient, strict = (compare(contender(held_out()), contender(held_out()), replace(RULE, golden=asked), golden=both) for asked in ("no worse", "every"))

    assert (lenient["answer"], strict["answer"]) == (Answer.PASSED, Answer.REFUSED)
    assert strict["reasons"] == ["golden set: 1 of 3 would be decided otherwise than people did, expected none"]
    [named] = strict["changes"]
    assert (named["frame_id"], named["worse"], named["golden"]) == ("metal/top/s/900", False, True)


def test_a_golden_frame_that_is_held_out_too_is_named_once() -> None:
    better = changed(held_out(), passes_one_defect)
    both = (contender(held_out()[-12:]), contender(better[-12:], "candidate"))  # the golden set is held out too

    report = compare(contender(held_out()), contender(better), RULE, golden=both)

    assert [(change["frame_id"], change["golden"]) for change in report["changes"]] == [("metal/top/s/100", True)]
