"""What people say of recorded frames: kept or thrown out, counted by picture, and told in the audit."""

from collections.abc import Iterator

import pytest

from services.records.audit import Actor, Audit
from services.records.collecting import Collecting, Recorded
from services.records.database import Database
from services.records.errors import UnknownLineError
from services.records.store import Records

ANNA, BERT = Actor("anna", "supervisor"), Actor("bert", "supervisor")


@pytest.fixture
def database(url: str, records: Records) -> Iterator[Database]:
    records.add_line("metal")
    records.add_line("wood")
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def collecting(database: Database) -> Collecting:
    return Collecting(database)


def frame(number: int, *, picture: str | None = None, line: str = "metal") -> Recorded:
    return Recorded(f"{line}/top/s1/{number}", f"frames/aa/{picture or number}", f"{line}/part/{number}")


def test_the_last_word_on_a_frame_counts_and_it_is_known_whose_it_was(collecting: Collecting, database: Database) -> None:
    collecting.choose("metal", keep=[frame(1), frame(2)], drop=[frame(3)], by=ANNA)
    tally = collecting.choose("metal", keep=[], drop=[frame(2)], by=BERT)

    assert (tally.kept, tally.dropped) == (1, 2)
    said = collecting.choices("metal", [frame(number).frame_id for number in (1, 2, 3, 4)])
    assert {frame_id.rpartition("/")[2]: (choice.kept, choice.by) for frame_id, choice in said.items()} == {
        "1": (True, "anna"),
        "2": (False, "bert"),
        "3": (False, "anna"),
    }
    assert [(deed.user, deed.details) for deed in Audit(database).deeds(action="line.collect")] == [
        ("bert", {"kept": 0, "dropped": 1}),
        ("anna", {"kept": 2, "dropped": 1}),
    ]


def test_a_picture_counts_once_and_thrown_out_once_teaches_nothing(collecting: Collecting) -> None:
    tally = collecting.choose("metal", keep=[frame(1, picture="a"), frame(2, picture="a"), frame(3, picture="b")], drop=[frame(4, picture="b")], by=ANNA)

    assert (tally.kept, tally.dropped) == (1, 1)
    assert list(collecting.good("metal")) == ["frames/aa/a"]


def test_lines_do_not_mix_and_only_what_was_kept_is_pinned(collecting: Collecting) -> None:
    collecting.choose("metal", keep=[frame(1)], drop=[frame(2)], by=ANNA)
    collecting.choose("wood", keep=[frame(3, line="wood")], drop=[], by=ANNA)

    assert collecting.good("metal") == {"frames/aa/1": "metal/part/1"}
    assert collecting.pinned() == {"frames/aa/1", "frames/aa/3"}


def test_nobody_keeps_frames_of_a_line_that_is_not_there(collecting: Collecting) -> None:
    with pytest.raises(UnknownLineError):
        collecting.choose("brass", keep=[frame(1, line="brass")], drop=[], by=ANNA)


def test_a_line_that_is_removed_lets_go_of_its_frames(collecting: Collecting, records: Records) -> None:
    collecting.choose("metal", keep=[frame(1)], drop=[], by=ANNA)

    records.remove_line("metal")

    assert collecting.pinned() == set()
