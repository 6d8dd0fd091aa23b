"""A line that was only tried leaves nothing behind that judges anything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.contract.inspection import Decision
from services.records.errors import UnknownLineError
from services.records.store import Records
from tests.builders import MODEL_VERSION, make_calibration, make_inspection
from tests.databases import with_tables


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    url = with_tables(f"sqlite:///{tmp_path / 'records.sqlite'}")
    opened = Records(url)
    yield opened
    opened.close()


def add(records: Records, line: str) -> None:
    records.add_line(line)
    records.add_camera(line, "top", "push:")
    records.add_calibration(line, MODEL_VERSION, make_calibration())
    records.activate(line, MODEL_VERSION, "c1", by="test")


def test_a_removed_line_takes_its_cameras_and_activations_with_it_and_no_others(records: Records) -> None:
    add(records, "tried")
    add(records, "kept")

    records.remove_line("tried")

    assert [line.id for line in records.lines()] == ["kept"]
    assert [camera.line for camera in records.cameras()] == ["kept"]
    assert [active.line for active in records.actives()] == ["kept"]
    assert records.current_activation("tried") is None


def test_it_can_be_added_again(records: Records) -> None:
    add(records, "tried")
    records.remove_line("tried")

    add(records, "tried")

    assert records.active("tried").judging


def test_what_was_flagged_stays(records: Records) -> None:
    add(records, "tried")
    records.flagged.add([make_inspection(line="tried", decision=Decision.FAIL)])

    records.remove_line("tried")

    assert records.flagged.count("tried") == 1


def test_an_unknown_line_is_named(records: Records) -> None:
    with pytest.raises(UnknownLineError, match="nowhere"):
        records.remove_line("nowhere")
