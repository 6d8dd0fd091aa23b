"""One answer counts, the other person is told, nothing is forgotten, and the audit says who did it."""

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
from sqlalchemy import delete, update

from services.contract.settings import Settings
from services.contract.verdict import Answer, Verdict
from services.records.audit import Actor, Audit
from services.records.database import Database
from services.records.errors import RecordsError
from services.records.models import VerdictRow
from services.records.store import Records
from services.results.archive import Archive, ArchiveError
from services.review.desk import Desk
from services.review.errors import ConflictError, MaskError, NotReviewableError, UnknownDefectClassError
from services.review.verdicts import Said
from tests.review.makers import ANNA, BERT, CARL, drawn, flag, read

GOOD, DEFECT = Said(answer=Answer.GOOD), Said(answer=Answer.DEFECT)


@pytest.fixture
def frame(records: Records, archive: Archive, desk: Desk) -> str:
    return flag(records, archive, 1, product="plate", part_id="p-1").frame_id


def waiting(desk: Desk) -> list[Verdict]:
    return [Verdict.from_json(letter.record) for letter in desk.reviews.letters(100)]


def answers(desk: Desk, frame: str) -> list[tuple[str, str, bool]]:
    return [(given.verdict.answer.value, given.verdict.given_by, given.current) for given in desk.records.history(frame)]


def test_a_verdict_its_audit_row_and_its_way_to_kafka_come_together(desk: Desk, frame: str, audit: Audit) -> None:
    given = desk.verdicts.give(frame, Said(answer=Answer.DEFECT, defect_class="scratch", upload=drawn()), ANNA)

    assert waiting(desk) == [given]
    assert (given.product, given.part_id, given.score, given.probability, given.reason) == ("plate", "p-1", 0.5, 1, "flagged")
    deed = audit.deeds(action="verdict.")[0]
    assert (deed.user, deed.action, deed.subject, deed.address) == ("anna", "verdict.give", frame, "10.0.0.1")
    assert (deed.details["answer"], deed.details["verdict_id"], deed.details["mask_source"]) == ("defect", given.verdict_id, "person")


def test_a_drawn_mask_is_archived_and_stays_with_its_picture(desk: Desk, frame: str, archive: Archive) -> None:
    given = desk.verdicts.give(frame, Said(answer=Answer.DEFECT, upload=drawn()), ANNA)

    assert given.mask_path is not None
    assert read(archive.get(given.mask_path)).sum() == 32 * 255
    assert desk.reviews.pinned() == {given.mask_path, given.frame_path}


def test_a_map_is_confirmed_at_the_threshold_that_the_slider_showed(desk: Desk, frame: str, archive: Archive) -> None:
    given = desk.verdicts.give(frame, Said(answer=Answer.DEFECT, map_threshold=0.6), ANNA)

    assert (given.mask_source, given.mask_path is not None) == ("map", True)
    seeded = desk.verdicts.seed(desk.queue.standing(frame, "anna"), 0.6)
    assert archive.get(given.mask_path or "") == seeded


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        (Said(answer=Answer.GOOD, upload=drawn()), MaskError, "only with a defect"),
        (Said(answer=Answer.DEFECT, upload=drawn(), map_threshold=0.5), MaskError, "either a drawn one or"),
        (Said(answer=Answer.DEFECT, upload=drawn(10, 10)), MaskError, "own 40 x 30 pixels"),
        (Said(answer=Answer.DEFECT, map_threshold=0.99), MaskError, "does not"),
        (Said(answer=Answer.DEFECT, defect_class="rust"), UnknownDefectClassError, r"expected one of \['scratch', 'dent'\]"),
        (Said(answer=Answer.GOOD, defect_class="dent"), UnknownDefectClassError, "only a defect"),
        (Said(answer=Answer.GOOD, blind=True), NotReviewableError, "not to be blind"),
        (Said(answer=Answer.GOOD, supersedes="nothing"), NotReviewableError, "nothing to be superseded"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(desk: Desk, frame: str, audit: Audit, said: Said, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        desk.verdicts.give(frame, said, ANNA)

    assert (waiting(desk), answers(desk, frame), audit.deeds(action="verdict.")) == ([], [], ())


def test_who_comes_second_is_told_who_was_first_and_when(desk: Desk, frame: str) -> None:
    first = desk.verdicts.give(frame, DEFECT, ANNA)

    with pytest.raises(ConflictError, match="answered by anna at 2026-03-02") as conflict:
        desk.verdicts.give(frame, GOOD, BERT)

    assert (conflict.value.kind, conflict.value.by, conflict.value.at) == ("answered", "anna", first.given_at)


def test_a_later_verdict_supersedes_the_one_that_it_was_meant_for(desk: Desk, frame: str) -> None:
    first = desk.verdicts.give(frame, DEFECT, ANNA)

    corrected = desk.verdicts.give(frame, Said(answer=Answer.GOOD, supersedes=first.verdict_id), BERT)
    with pytest.raises(ConflictError, match="answered by bert"):
        desk.verdicts.give(frame, Said(answer=Answer.DEFECT, supersedes=first.verdict_id), ANNA)

    assert corrected.supersedes == first.verdict_id
    assert answers(desk, frame) == [("defect", "anna", False), ("good", "bert", True)]
    assert [one.verdict_id for one in waiting(desk)] == [first.verdict_id, corrected.verdict_id]


def test_the_same_verdict_sent_again_is_the_same_verdict(desk: Desk, frame: str) -> None:
    said = Said(answer=Answer.GOOD, verdict_id="from-the-page-1")

    first, again = desk.verdicts.give(frame, said, ANNA), desk.verdicts.give(frame, said, ANNA)

    assert first == again
    assert len(waiting(desk)) == 1
    with pytest.raises(NotReviewableError, match="no other verdict has"):
        desk.verdicts.give(frame, said, BERT)


def test_a_frame_that_another_has_claimed_is_answered_by_nobody_else(desk: Desk, frame: str) -> None:
    desk.claims.take(frame, "anna")

    with pytest.raises(ConflictError, match="claimed by anna"):
        desk.verdicts.give(frame, GOOD, BERT)

    assert desk.verdicts.give(frame, GOOD, ANNA).given_by == "anna"


# Taking back


def test_a_first_answer_taken_back_leaves_none_and_the_frame_with_whoever_took_it_back(desk: Desk, frame: str, audit: Audit) -> None:
    first = desk.verdicts.give(frame, DEFECT, ANNA)

    withdrawn = desk.verdicts.undo(frame, ANNA)
    again = desk.queue.item(frame, "anna")

    assert (withdrawn.answer, withdrawn.supersedes) == (Answer.WITHDRAWN, first.verdict_id)
    assert again.open
    assert again.claim is not None
    assert again.claim.user == "anna"
    assert audit.deeds(limit=1)[0].action == "verdict.undo"
    second = desk.verdicts.give(frame, GOOD, ANNA)
    assert second.supersedes == withdrawn.verdict_id
    assert [one.answer.value for one in waiting(desk)] == ["defect", "withdrawn", "good"]


def test_a_correction_taken_back_brings_back_the_earlier_answer_with_its_mask(desk: Desk, frame: str) -> None:
    first = desk.verdicts.give(frame, Said(answer=Answer.DEFECT, defect_class="dent", upload=drawn()), ANNA)
    corrected = desk.verdicts.give(frame, Said(answer=Answer.GOOD, supersedes=first.verdict_id), BERT)

    restored = desk.verdicts.undo(frame, BERT)

    assert (restored.answer, restored.defect_class, restored.mask_path) == (Answer.DEFECT, "dent", first.mask_path)
    assert (restored.given_by, restored.supersedes) == ("bert", corrected.verdict_id)


def test_only_ones_own_current_answer_is_taken_back(desk: Desk, frame: str) -> None:
    with pytest.raises(NotReviewableError, match="no answer of yours"):
        desk.verdicts.undo(frame, BERT)
    desk.verdicts.give(frame, GOOD, ANNA)

    with pytest.raises(ConflictError, match="answered by anna"):
        desk.verdicts.undo(frame, BERT)
    desk.verdicts.undo(frame, ANNA)
    with pytest.raises(NotReviewableError, match="no answer of yours"):
        desk.verdicts.undo(frame, ANNA)


# Blind


def test_a_blind_check_is_answered_blind_without_its_map(desk: Desk, records: Records, archive: Archive) -> None:
    frame = flag(records, archive, 2, reason="blind-check").frame_id

    for said in (GOOD, Said(answer=Answer.DEFECT, map_threshold=0.5, blind=True)):
        with pytest.raises(NotReviewableError, match="is a blind check"):
            desk.verdicts.give(frame, said, ANNA)
    given = desk.verdicts.give(frame, Said(answer=Answer.DEFECT, upload=drawn(), blind=True), ANNA)

    assert (given.blind, given.reason, given.probability, given.mask_source) == (True, "blind-check", 0.01, "person")


def test_who_has_seen_the_score_no_longer_answers_blind(desk: Desk, records: Records, archive: Archive) -> None:
    frame = flag(records, archive, 2, reason="blind-check").frame_id
    blind = Said(answer=Answer.GOOD, blind=True)
    desk.verdicts.give(frame, blind, ANNA)

    desk.verdicts.undo(frame, ANNA)
    again = desk.verdicts.give(frame, blind, ANNA)

    assert not again.blind


def test_a_second_reviewer_answers_blind_beside_the_first_and_changes_nothing(asking_twice: Desk, frame: str) -> None:
    desk = asking_twice
    first = desk.verdicts.give(frame, DEFECT, ANNA)

    second = desk.verdicts.give(frame, Said(answer=Answer.GOOD, blind=True), BERT)

    assert (second.second, second.blind, second.supersedes) == (True, True, None)
    assert desk.records.answers() == [(first, second)]
    assert desk.queue.standing(frame, "carl").answer == first
    with pytest.raises(ConflictError, match="answered by bert"):
        desk.verdicts.give(frame, Said(answer=Answer.GOOD, blind=True), CARL)


def test_who_saw_the_score_before_somebody_else_answered_is_no_second_reviewer(asking_twice: Desk, frame: str) -> None:
    asking_twice.verdicts.give(frame, DEFECT, ANNA)

    with pytest.raises(ConflictError, match="answered by anna"):
        asking_twice.verdicts.give(frame, GOOD, BERT)


def test_nobody_is_their_own_second_reviewer(asking_twice: Desk, frame: str) -> None:
    asking_twice.verdicts.give(frame, DEFECT, ANNA)

    item = asking_twice.queue.item(frame, "anna")

    assert (item.open, item.seen is not None) == (False, True)
    with pytest.raises(ConflictError):
        asking_twice.verdicts.give(frame, Said(answer=Answer.GOOD, blind=True), ANNA)


def test_a_second_answer_is_taken_back_by_itself(asking_twice: Desk, frame: str) -> None:
    first = asking_twice.verdicts.give(frame, DEFECT, ANNA)
    asking_twice.verdicts.give(frame, Said(answer=Answer.GOOD, blind=True), BERT)

    withdrawn = asking_twice.verdicts.undo(frame, BERT)

    assert (withdrawn.second, withdrawn.answer) == (True, Answer.WITHDRAWN)
    assert asking_twice.records.answers() == [(first, None)]


# Many at once


def test_a_bulk_answer_leaves_out_what_others_have_and_blind_checks(desk: Desk, records: Records, archive: Archive) -> None:
    frames = [flag(records, archive, number).frame_id for number in range(3)]
    blind = flag(records, archive, 3, reason="blind-check").frame_id
    cold = flag(records, archive, 4, map_png=drawn(16, 16, box=(0, 0, 0, 0))).frame_id
    desk.claims.take(frames[1], "bert")

    done = {one.frame_id: one for one in desk.verdicts.bulk([*frames, blind, cold, frames[0]], "defect", ANNA, defect_class="dent")}

    given = {frame: one.verdict.mask_source for frame, one in done.items() if one.verdict}
    assert given == {frames[0]: "map", frames[2]: "map", cold: None}
    assert isinstance(done[frames[1]].problem, ConflictError)
    assert isinstance(done[blind].problem, NotReviewableError)


def test_frames_are_claimed_and_released_in_bulk(desk: Desk, records: Records, archive: Archive) -> None:
    frames = [flag(records, archive, number).frame_id for number in range(3)]

    desk.verdicts.bulk(frames, "claim", ANNA)
    refused = desk.verdicts.bulk(frames, "good", BERT)
    desk.verdicts.bulk(frames, "release", ANNA)

    assert all(isinstance(one.problem, ConflictError) for one in refused)
    assert [one.problem for one in desk.verdicts.bulk(frames, "good", BERT)] == [None] * 3


# Against everything


def test_the_database_itself_keeps_verdicts_from_being_changed(desk: Desk, frame: str, database: Database) -> None:
    desk.verdicts.give(frame, GOOD, ANNA)

    for statement in (update(VerdictRow).values(answer="defect"), delete(VerdictRow)):
        with pytest.raises(RecordsError, match="verdicts are never changed"), database.writing() as session:
            session.execute(statement)  # type: ignore[call-overload]


def test_the_database_itself_holds_that_a_chain_begins_once_and_goes_on_once(desk: Desk, frame: str, database: Database) -> None:
    first = desk.verdicts.give(frame, GOOD, ANNA)
    desk.verdicts.give(frame, Said(answer=Answer.DEFECT, supersedes=first.verdict_id), ANNA)

    for number, supersedes in enumerate((None, first.verdict_id)):
        values = first.model_dump(include={"frame_id", "given_by", "given_at", "frame_path"})
        row = VerdictRow(
            **values, verdict_id=f"x-{number}", line_id="metal", answer="good", second=False, wants_second=False, supersedes=supersedes, record="{}"
        )
        with pytest.raises(RecordsError), database.writing() as session:
            session.add(row)


def test_an_archive_that_is_full_refuses_before_anything_is_written(desk: Desk, frame: str, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(kind: str, content: bytes) -> str:
        raise ArchiveError("no space left")

    monkeypatch.setattr(archive, "put", full)

    with pytest.raises(ArchiveError):
        desk.verdicts.give(frame, Said(answer=Answer.DEFECT, upload=drawn()), ANNA)
    assert answers(desk, frame) == []


def race(answer: Callable[[Actor], Verdict], begin: threading.Barrier | Barrier, who: Actor) -> str:
    begin.wait(30)
    try:
        return f"given by {answer(who).given_by}"
    except ConflictError as conflict:
        return f"{who.name} is told {conflict.by}"


def test_of_two_threads_that_answer_one_picture_at_once_exactly_one_wins(desk: Desk, records: Records, archive: Archive, review_settings: Settings) -> None:
    frames = [flag(records, archive, number).frame_id for number in range(10)]
    said: dict[str, list[str]] = {frame: [] for frame in frames}
    begin = threading.Barrier(2)

    def answer_all(who: Actor) -> None:
        database = Database(review_settings.records_url)
        own = Desk.of(review_settings, database, archive)
        for frame in frames:
            said[frame].append(race(lambda by, frame=frame: own.verdicts.give(frame, GOOD, by), begin, who))  # type: ignore[misc]
        database.close()

    people = [threading.Thread(target=answer_all, args=(who,)) for who in (ANNA, BERT)]
    for one in people:
        one.start()
    for one in people:
        one.join()

    for frame, told in said.items():
        assert sorted(told) in (["bert is told anna", "given by anna"], ["anna is told bert", "given by bert"])
        assert len(answers(desk, frame)) == 1


def answer_in_a_process(settings: Settings, frames: list[str], who: Actor, begin: Any, told: Any) -> None:
    database = Database(settings.records_url)
    own = Desk.of(settings, database, Archive(settings))
    told.put([(frame, race(lambda by, frame=frame: own.verdicts.give(frame, GOOD, by), begin, who)) for frame in frames])  # type: ignore[misc]
    database.close()


def test_of_two_processes_that_answer_one_picture_at_once_exactly_one_wins(desk: Desk, records: Records, archive: Archive, review_settings: Settings) -> None:
    frames = [flag(records, archive, number).frame_id for number in range(5)]
    context = multiprocessing.get_context("spawn")
    begin, told = context.Barrier(2), context.Queue()

    people = [context.Process(target=answer_in_a_process, args=(review_settings, frames, who, begin, told)) for who in (ANNA, BERT)]
    for one in people:
        one.start()
    said = [pair for _ in people for pair in told.get(timeout=60)]
    for one in people:
        one.join()

    for frame in frames:
        words = sorted(words for about, words in said if about == frame)
        assert words in (["bert is told anna", "given by anna"], ["anna is told bert", "given by bert"])
