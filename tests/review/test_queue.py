"""What is to be reviewed, in which order; and that no order, filter or page tells of a blind check what it should not."""

from datetime import timedelta
from typing import Any

import pytest

from services.contract.inspection import Decision
from services.contract.verdict import Answer
from services.records.review_queue import Filter, Order
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.queue import CursorError, Queue
from services.review.verdicts import Said
from tests.builders import CAPTURED_AT
from tests.review.makers import ANNA, BERT, add_line, flag


def numbers(desk: Desk, order: Order = Order.OLDEST, *, user: str = "anna", **wanted: Any) -> list[int]:
    return [int(item.frame_id.rpartition("/")[2]) for item in desk.queue.page(user, Filter(**wanted), order, limit=50).items]


def test_the_least_certain_comes_first_by_its_distance_in_log_odds(desk: Desk, records: Records, archive: Archive) -> None:
    """Thresholds are 0.4 and 0.7; 0.99 is as far in odds as no other, though not in score."""
    for number, score in enumerate((0.99, 0.41, 0.71, 0.55, 0.95, 1.0)):
        flag(records, archive, number, score=score)

    assert numbers(desk, Order.UNCERTAINTY) == [1, 2, 3, 4, 0, 5]
    assert numbers(desk, Order.SEVERITY) == [5, 0, 4, 2, 3, 1]
    assert numbers(desk, Order.OLDEST) == [0, 1, 2, 3, 4, 5]
    assert numbers(desk, Order.NEWEST) == [5, 4, 3, 2, 1, 0]


def test_frames_are_filtered(desk: Desk, records: Records, archive: Archive) -> None:
    add_line(records, "fabric")
    for number, score in enumerate((0.5, 0.6, 0.9)):
        flag(records, archive, number, score=score)
    flag(records, archive, 3, line="fabric")
    flag(records, archive, 4, reason="blind-check", score=0.1, camera="side")

    assert numbers(desk, line="fabric") == [3]
    assert numbers(desk, camera="side") == [4]
    assert numbers(desk, decision=Decision.FAIL) == [2]
    assert numbers(desk, score_from=0.55, score_to=0.7) == [1]
    assert numbers(desk, reason="blind") == [4]
    assert numbers(desk, reason="flagged", line="metal") == [0, 1, 2]
    assert numbers(desk, since=CAPTURED_AT + timedelta(seconds=1), until=CAPTURED_AT + timedelta(seconds=3)) == [1, 2]


def test_answered_frames_leave_the_queue_and_are_found_by_their_class(desk: Desk, records: Records, archive: Archive) -> None:
    frames = [flag(records, archive, number).frame_id for number in range(3)]
    desk.verdicts.give(frames[0], Said(answer=Answer.GOOD), ANNA)
    desk.verdicts.give(frames[1], Said(answer=Answer.DEFECT, defect_class="dent"), ANNA)

    assert numbers(desk) == [2]
    assert numbers(desk, state="answered", user="bert") == [0, 1]
    assert numbers(desk, state="answered", defect_class="dent") == [1]


@pytest.mark.parametrize("order", Order)
def test_pages_hold_everything_once_while_others_answer(desk: Desk, records: Records, archive: Archive, order: Order) -> None:
    for number in range(12):
        flag(records, archive, number, score=(0.45, 0.5, 0.5, 0.8)[number % 4], reason="blind-check" if number % 5 == 0 else "flagged")
    found: list[str] = []
    cursor = None

    for turn in range(4):
        page = desk.queue.page("anna", Filter(), order, cursor=cursor, limit=3)
        found += [item.frame_id for item in page.items]
        cursor = page.next
        if turn == 1:
            desk.verdicts.give(found[0], Said(answer=Answer.GOOD, blind=int(found[0].rpartition("/")[2]) % 5 == 0), BERT)

    assert len(found) == len(set(found)) == 12
    assert cursor is None


@pytest.mark.parametrize("cursor", ["nonsense", "W10=", "WyJvbGRlc3QiLCAxLCAxXQ==", "WyJuZXdlc3QiLCAieCIsICJhIl0=", "é"])
def test_a_place_that_no_page_named_is_refused(desk: Desk, cursor: str) -> None:
    with pytest.raises(CursorError, match="after: expected"):
        desk.queue.page("anna", Filter(), Order.OLDEST, cursor=cursor)


def test_the_next_one_is_claimed_and_another_one_for_everybody_else(desk: Desk, records: Records, archive: Archive) -> None:
    for number in range(3):
        flag(records, archive, number)

    mine, ahead = (desk.queue.next("anna", Filter(), Order.OLDEST, besides=besides) for besides in ([], ["metal/top/s1/0"]))
    his = desk.queue.next("bert", Filter(), Order.OLDEST)

    assert [item and item.frame_id[-1] for item in (mine, ahead, his)] == ["0", "1", "2"]
    assert mine is not None
    assert mine.claim is not None
    assert mine.claim.user == "anna"
    assert desk.queue.next("carl", Filter(), Order.OLDEST) is None


def test_a_skipped_frame_is_offered_to_others_only(desk: Desk, records: Records, archive: Archive) -> None:
    frame = flag(records, archive, 1).frame_id
    desk.claims.skip(frame, "anna")

    assert (numbers(desk), numbers(desk, skipped=True), numbers(desk, user="bert")) == ([], [1], [1])
    assert desk.queue.next("anna", Filter(), Order.OLDEST) is None


def test_a_share_of_turns_goes_to_blind_checks_while_there_are_any(desk: Desk, records: Records, archive: Archive) -> None:
    for number in range(4):
        flag(records, archive, number, reason="blind-check" if number == 3 else "flagged")
    draws = iter((0.5, 0.05, 0.05))
    queue = Queue(desk.records, desk.claims, blind_turns=0.1, draw=lambda: next(draws))

    found = [queue.next(name, Filter(), Order.OLDEST) for name in ("anna", "bert", "carl")]

    assert [item and item.frame_id[-1] for item in found] == ["0", "3", "1"]


def test_counts_are_those_of_one_person(desk: Desk, records: Records, archive: Archive) -> None:
    frames = [flag(records, archive, number, reason="blind-check" if number == 4 else "flagged").frame_id for number in range(5)]
    desk.verdicts.give(frames[0], Said(answer=Answer.GOOD), ANNA)
    desk.claims.take(frames[1], "bert")
    desk.claims.skip(frames[2], "anna")

    [hers], [his] = desk.queue.counts("anna"), desk.queue.counts("bert")

    assert (hers.line, hers.open, hers.blind, hers.claimed, hers.skipped, hers.answered) == ("metal", 3, 1, 1, 1, 1)
    assert (his.claimed, his.skipped) == (0, 0)


# Blind checks


def test_of_a_blind_check_the_picture_alone_is_to_be_seen_until_it_is_answered(desk: Desk, records: Records, archive: Archive) -> None:
    frame = flag(records, archive, 1, reason="blind-check", score=0.1).frame_id

    before = desk.queue.item(frame, "anna")
    desk.verdicts.give(frame, Said(answer=Answer.DEFECT, blind=True), ANNA)
    after = desk.queue.item(frame, "anna")

    assert (before.open, before.seen) == (True, None)
    assert after.seen is not None
    assert (after.seen.score, after.seen.decision, after.seen.reason) == (0.1, Decision.PASS, "blind-check")


def test_no_order_and_no_filter_tells_a_blind_checks_score(desk: Desk, records: Records, archive: Archive) -> None:
    for number, score in ((1, 0.1), (2, 0.39), (3, 0.0)):
        flag(records, archive, number, reason="blind-check", score=score)
    flag(records, archive, 4, score=0.95)

    assert numbers(desk, Order.UNCERTAINTY) == numbers(desk, Order.SEVERITY) == [4, 1, 2, 3]
    assert numbers(desk, score_from=0.0) == numbers(desk, score_to=1.0) == [4]
    assert numbers(desk, decision=Decision.PASS) == []


def test_a_second_review_looks_like_any_other_blind_check(asking_twice: Desk, records: Records, archive: Archive) -> None:
    answered = flag(records, archive, 1, score=0.9).frame_id
    fresh = flag(records, archive, 2, reason="blind-check").frame_id
    asking_twice.verdicts.give(answered, Said(answer=Answer.DEFECT), ANNA)

    second, first = (asking_twice.queue.item(frame, "bert") for frame in (answered, fresh))

    assert (second.open, second.seen) == (first.open, first.seen) == (True, None)
    assert numbers(asking_twice, user="bert", reason="blind") == [1, 2]
    assert numbers(asking_twice, user="bert", state="answered") == []
    assert asking_twice.records.hidden([answered, fresh, "metal/top/s1/9"], "anna") == {answered: False, fresh: True}
    assert numbers(asking_twice, user="anna") == [2]
