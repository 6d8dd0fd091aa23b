"""Which frames come into a line's golden set, and who is told why not."""

import pytest

from services.contract.verdict import Answer
from services.records.audit import Audit
from services.records.database import Database
from services.records.golden import GoldenSets
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.errors import BlindCheckError, NotReviewableError, UnknownFrameError
from services.review.verdicts import Said
from tests.review.makers import ANNA, BERT, flag

WHY = "the faintest scratch that we reject"


@pytest.fixture
def answered(records: Records, archive: Archive, desk: Desk) -> str:
    frame = flag(records, archive, 1).frame_id
    desk.verdicts.give(frame, Said(answer=Answer.DEFECT), ANNA)
    return frame


def test_an_answered_frame_is_golden_until_somebody_takes_it_out(desk: Desk, database: Database, answered: str) -> None:
    sets = GoldenSets(database)

    added = desk.golden.add(answered, WHY, ANNA)
    again = desk.golden.add(answered, "another reason", BERT)

    assert (added, added.by, added.reason) == (again, "anna", WHY)
    assert sets.of("metal") == [added]
    assert sets.of("wood") == []
    desk.golden.remove(answered, "worn out", BERT)
    desk.golden.remove(answered, "twice", BERT)
    assert (sets.of("metal"), desk.golden.of(answered, "anna")) == ([], None)
    later = desk.golden.add(answered, "found again", BERT)
    assert sets.of("metal") == [later]
    deeds = [(deed.action, deed.user, deed.details) for deed in Audit(database).deeds(action="golden.")]
    assert deeds == [
        ("golden.add", "bert", {"reason": "found again"}),
        ("golden.remove", "bert", {"reason": "worn out"}),
        ("golden.add", "anna", {"reason": WHY}),
    ]


def test_a_frame_without_an_answer_that_counts_is_not_golden(desk: Desk, records: Records, archive: Archive, answered: str) -> None:
    desk.verdicts.undo(answered, ANNA)

    for frame in (answered, flag(records, archive, 2).frame_id):
        with pytest.raises(NotReviewableError, match="nobody has answered it; say first whether it is a defect"):
            desk.golden.add(frame, WHY, ANNA)
    with pytest.raises(UnknownFrameError):
        desk.golden.add("metal/top/s1/999", WHY, ANNA)


def test_whoever_has_yet_to_answer_it_blind_neither_makes_it_golden_nor_learns_of_it(asking_twice: Desk, records: Records, archive: Archive) -> None:
    frame = flag(records, archive, 3).frame_id
    asking_twice.verdicts.give(frame, Said(answer=Answer.GOOD), ANNA)
    asking_twice.golden.add(frame, WHY, ANNA)

    with pytest.raises(BlindCheckError):
        asking_twice.golden.of(frame, "bert")
    with pytest.raises(BlindCheckError):
        asking_twice.golden.add(frame, WHY, BERT)
