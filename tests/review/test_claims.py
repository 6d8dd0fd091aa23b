"""Two people do not work on one picture."""

import threading

import pytest

from services.contract.settings import Settings
from services.contract.verdict import Answer
from services.records.database import Database
from services.records.review_queue import Filter, Order
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.errors import ConflictError, UnknownFrameError
from services.review.verdicts import Said
from tests.review.conftest import Clock
from tests.review.makers import ANNA, BERT, flag


@pytest.fixture
def frame(records: Records, archive: Archive, desk: Desk) -> str:
    return flag(records, archive, 1).frame_id


def test_a_claimed_frame_is_somebody_elses_and_the_other_is_told_whose(desk: Desk, frame: str) -> None:
    claim = desk.claims.take(frame, "anna")

    with pytest.raises(ConflictError, match=f"{frame}: claimed by anna at 2026-03-02 08:00:00 UTC") as conflict:
        desk.claims.take(frame, "bert")

    assert (conflict.value.by, conflict.value.at, conflict.value.kind) == ("anna", claim.claimed_at, "claimed")


def test_a_heartbeat_renews_a_claim_and_keeps_since_when_it_holds(desk: Desk, frame: str, clock: Clock) -> None:
    first = desk.claims.take(frame, "anna")
    clock.pass_minutes(9)

    again = desk.claims.take(frame, "anna")
    clock.pass_minutes(9)

    assert again.claimed_at == first.claimed_at
    with pytest.raises(ConflictError):
        desk.claims.take(frame, "bert")


def test_an_expired_claim_is_taken_over_and_who_comes_back_is_told(desk: Desk, frame: str, clock: Clock) -> None:
    desk.claims.take(frame, "anna")
    clock.pass_minutes(11)

    desk.claims.take(frame, "bert")

    for late in (lambda: desk.claims.take(frame, "anna"), lambda: desk.verdicts.give(frame, Said(answer=Answer.GOOD), ANNA)):
        with pytest.raises(ConflictError, match="claimed by bert"):
            late()


def test_a_released_or_skipped_frame_is_free(desk: Desk, frame: str) -> None:
    desk.claims.take(frame, "anna")
    desk.claims.release(frame, "bert")  # not his to release
    with pytest.raises(ConflictError):
        desk.claims.take(frame, "bert")

    desk.claims.release(frame, "anna")
    desk.claims.take(frame, "bert")
    desk.claims.skip(frame, "bert")

    assert desk.claims.take(frame, "anna").user == "anna"


def test_an_answered_frame_is_claimed_only_to_correct_it(desk: Desk, frame: str) -> None:
    desk.verdicts.give(frame, Said(answer=Answer.GOOD), ANNA)

    with pytest.raises(ConflictError, match="answered by anna"):
        desk.claims.take(frame, "bert")
    assert desk.claims.take(frame, "bert", to_correct=True).user == "bert"


def test_a_frame_that_nobody_flagged_cannot_be_claimed(desk: Desk) -> None:
    with pytest.raises(UnknownFrameError, match="expected a flagged one"):
        desk.claims.take("metal/top/s1/99", "anna")


def test_of_people_who_ask_for_the_next_at_once_each_gets_another_one(desk: Desk, records: Records, archive: Archive, review_settings: Settings) -> None:
    frames = {flag(records, archive, number).frame_id for number in range(12)}
    got: list[str] = []
    begin = threading.Barrier(4)

    def ask(name: str) -> None:
        database = Database(review_settings.records_url)
        own, mine = Desk.of(review_settings, database, archive), []
        begin.wait()
        for _ in range(3):
            item = own.queue.next(name, Filter(), Order.OLDEST, besides=mine)
            assert item is not None
            mine.append(item.frame_id)
        got.extend(mine)
        database.close()

    people = [threading.Thread(target=ask, args=(f"p-{number}",)) for number in range(4)]
    for one in people:
        one.start()
    for one in people:
        one.join()

    assert sorted(got) == sorted(frames)


def test_a_verdict_ends_the_claim(desk: Desk, frame: str) -> None:
    desk.claims.take(frame, "anna")

    desk.verdicts.give(frame, Said(answer=Answer.GOOD), ANNA)

    standing = desk.queue.standing(frame, BERT.name)
    assert standing.claim is None
