"""Which answer counts: the standing one of a frame, one a picture; and what nobody has answered."""

from datetime import timedelta

import pytest

from services.contract.verdict import Verdict
from tests.builders import CAPTURED_AT
from tests.training.dataset_makers import MemoryPictures, drawn, png, surface, verdict
from training.answers import candidates, sampled


@pytest.fixture
def store() -> MemoryPictures:
    return MemoryPictures()


def later(store: MemoryPictures, first: Verdict, answer: str, **fields: object) -> Verdict:
    """A verdict that supersedes another of the same frame."""
    number = first.identity.sequence
    moment = first.given_at + timedelta(hours=1)
    return verdict(store, number, answer, verdict_id=f"{first.verdict_id}-{answer}", supersedes=first.verdict_id, given_at=moment, **fields)


def test_a_superseded_answer_counts_no_more(store: MemoryPictures) -> None:
    first = verdict(store, 1, "defect", defect_class="dent")

    (found,) = candidates([first, later(store, first, "good")])

    assert (found.answer, found.defect_class, found.verdict_id) == ("good", None, "v1-defect-good")


def test_of_a_correction_that_was_taken_back_the_answer_before_it_counts(store: MemoryPictures) -> None:
    first = verdict(store, 1, "defect")
    wrong = later(store, first, "good")
    back = later(store, wrong, "defect")

    (found,) = candidates([back, first, wrong])  # in whatever order

    assert (found.answer, found.verdict_id) == ("defect", back.verdict_id)


def test_what_was_taken_back_has_no_answer_and_is_not_presumed_good_either(store: MemoryPictures) -> None:
    first = verdict(store, 1, "good")

    assert candidates([first, later(store, first, "withdrawn")], [drawn(store, 1)]) == ()


def test_a_second_reviewer_changes_nothing(store: MemoryPictures) -> None:
    second = verdict(store, 1, "good", second=True, given_at=CAPTURED_AT + timedelta(days=1))

    (found,) = candidates([verdict(store, 1, "defect"), second])

    assert found.answer == "defect"
    assert candidates([second]) == ()


def test_a_blind_check_stands_for_as_many_frames_as_it_was_drawn_from(store: MemoryPictures) -> None:
    answered = verdict(store, 1, probability=0.01, reason="blind-check")

    found = {one.frame_id: one for one in candidates([answered, verdict(store, 2)], [drawn(store, 3, probability=0.05)])}

    assert [(found[f"metal/top/s1/{number}"].answer, found[f"metal/top/s1/{number}"].weight) for number in (1, 2, 3)] == [
        ("good", 100),
        ("good", 1),
        ("unreviewed", 20),
    ]


def test_equal_pictures_are_one_with_the_latest_answer_and_an_answer_is_more_than_none(store: MemoryPictures) -> None:
    same = png(surface(1))

    (found,) = candidates([verdict(store, 2, "good", image=same), verdict(store, 1, "defect")], [drawn(store, 1, session="s2")])

    assert (found.frame_id, found.answer) == ("metal/top/s1/2", "good")


def test_frames_without_a_part_go_by_their_capture_session(store: MemoryPictures) -> None:
    found = {one.frame_id: one.group for one in candidates([verdict(store, 1, part_id=None)], [drawn(store, 2, part_id="p")])}

    assert found == {"metal/top/s1/1": "metal/session/top/s1", "metal/top/s1/2": "metal/part/p"}


def test_the_sample_is_the_same_in_any_order(store: MemoryPictures) -> None:
    frames = [drawn(store, number) for number in range(20)]

    chosen = sampled(frames, 5)

    assert [one.frame_id for one in sampled(frames[::-1], 5)] == [one.frame_id for one in chosen]
    assert len(chosen) == 5
    assert sampled(frames, 0) == []
