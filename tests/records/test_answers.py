"""What a dataset is read from: all verdicts of a line, page by page, and drawn frames that nobody answered. SQLite and PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.contract.settings import ReviewSettings, Settings
from services.contract.verdict import Answer
from services.records import answers
from services.records.answers import Answers
from services.records.database import Database
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.verdicts import Said
from tests.review.makers import ANNA, add_line, flag

GOOD, DEFECT = Said(answer=Answer.GOOD), Said(answer=Answer.DEFECT)


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, records={"url": url}, review=ReviewSettings(second_share=0))  # type: ignore[arg-type]


@pytest.fixture
def database(url: str, settings: Settings) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def desk(settings: Settings, database: Database) -> Iterator[Desk]:
    """Frames 1..5 of metal: the even ones were drawn for a blind check."""
    records, archive = Records(settings.records_url), Archive(settings)
    for line in ("metal", "fabric"):
        add_line(records, line)
        for number in range(1, 6):
            flag(records, archive, number, line=line, reason="flagged" if number % 2 else "blind-check")
    yield Desk.of(settings, database, archive)
    records.close()


def test_verdicts_of_a_line_come_in_the_order_in_which_they_were_given_and_withdrawn_ones_too(
    desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "AT_ONCE", 2)
    for number, said in ((3, DEFECT), (1, GOOD), (5, GOOD)):
        desk.verdicts.give(f"metal/top/s1/{number}", said, ANNA)
    desk.verdicts.give("fabric/top/s1/1", GOOD, ANNA)
    desk.verdicts.undo("metal/top/s1/1", ANNA)

    found = list(Answers(database).verdicts(["metal"]))

    assert [(one.identity.sequence, one.answer.value) for one in found] == [(3, "defect"), (1, "good"), (5, "good"), (1, "withdrawn")]
    assert found[3].supersedes == found[1].verdict_id


def test_drawn_frames_that_nobody_ever_answered(desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "AT_ONCE", 1)
    before = [one.frame_id for one in Answers(database).unanswered(["metal"], "blind-check")]

    desk.verdicts.give("metal/top/s1/2", replace(GOOD, blind=True), ANNA)
    desk.verdicts.undo("metal/top/s1/2", ANNA)

    (left,) = Answers(database).unanswered(["metal"], "blind-check")
    assert before == ["metal/top/s1/2", "metal/top/s1/4"]
    assert left.frame_id == "metal/top/s1/4"
    assert left.archived is not None
    assert left.archived.probability == 0.01


def test_new_verdicts_are_counted_from_a_moment_on(desk: Desk, database: Database) -> None:
    given = [desk.verdicts.give(f"metal/top/s1/{number}", GOOD, ANNA) for number in (1, 3)]

    found = Answers(database)

    assert found.given_since("metal", None) == 2
    assert found.given_since("metal", given[0].given_at) == 1
    assert found.given_since("metal", given[1].given_at + timedelta(seconds=1)) == found.given_since("fabric", None) == 0
