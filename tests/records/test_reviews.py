"""What reviews keep beside verdicts: defect classes, on SQLite and PostgreSQL. The rest is held by tests/review."""

from collections.abc import Iterator

import pytest

from services.contract.names import InvalidIdError
from services.records.audit import Actor, Audit
from services.records.database import Database
from services.records.errors import UnknownLineError
from services.records.reviews import Reviews
from services.records.store import Records

ANNA = Actor("anna", "supervisor")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    records = Records(url)
    records.add_line("metal")
    records.close()
    opened = Database(url)
    yield opened
    opened.close()


def test_classes_are_offered_in_order_renamed_and_retired(database: Database) -> None:
    reviews = Reviews(database)
    reviews.set_defect_classes("metal", {"scratch": "Scratch", "dent": "Dent", "rust": "Rust"}, by=ANNA)

    reviews.set_defect_classes("metal", {"rust": "Rust", "dent": "Deep dent"}, by=ANNA)

    assert [(one.name, one.label) for one in reviews.defect_classes("metal")] == [("rust", "Rust"), ("dent", "Deep dent")]
    assert [(deed.action, deed.subject) for deed in Audit(database).deeds()] == [("defect-classes.set", "metal")] * 2
    back = reviews.set_defect_classes("metal", {"scratch": "Scratch"}, by=ANNA)
    assert [one.name for one in back] == ["scratch"]


def test_classes_are_of_a_line_that_exists_and_named_well(database: Database) -> None:
    reviews = Reviews(database)

    with pytest.raises(UnknownLineError, match=r"expected one of \['metal'\]"):
        reviews.set_defect_classes("fabric", {"dent": "Dent"}, by=ANNA)
    with pytest.raises(InvalidIdError, match="defect class"):
        reviews.set_defect_classes("metal", {"Deep dent": "Dent"}, by=ANNA)

    assert reviews.defect_classes("metal") == ()
