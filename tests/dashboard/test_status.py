"""The account of the plant, where stores are away or say odd things."""

from pathlib import Path

from services.contract.settings import Settings
from services.dashboard.status import CameraStatus, LedgerStatus, LineStatus, _ledger_problems, _line_problems, collect
from services.records.store import Records
from tests.databases import with_tables


def make_ledger(**fields: int) -> LedgerStatus:
    names = ("sent", "inspected", "recorded", "failed", "late", "expired", "forgotten", "in_flight", "redelivered")
    return LedgerStatus(**{**dict.fromkeys(names, 0), **fields}, balanced=fields.get("inspected", 0) <= fields.get("sent", 0))


def test_stores_that_are_away_are_named_and_the_others_are_shown(tmp_path: Path) -> None:
    """No stack runs here: SQL alone answers."""
    settings = Settings(home=tmp_path)
    with_tables(settings.records_url)
    records = Records(settings.records_url)
    records.add_line("metal", cameras={"top": "push:"})
    records.close()

    status = collect(settings)

    assert [(line.id, line.state, line.cameras[0].state) for line in status.lines] == [("metal", "unknown", "unknown")]
    assert (status.ledger, status.lag, status.replicas) == (None, None, None)
    assert [name for name in ("kafka", "redis", "ray") if not any(name in problem for problem in status.problems)] == []


def test_an_empty_plant_says_that_it_has_no_tables(tmp_path: Path) -> None:
    status = collect(Settings(home=tmp_path))

    assert status.lines == ()
    assert any("no such table" in problem for problem in status.problems)


def test_a_camera_that_is_down_and_a_line_without_a_model_are_problems() -> None:
    camera = CameraStatus(id="top", source="folder:x", state="down", error="no such folder")
    line = LineStatus(id="metal", name="metal", state="recording", cameras=(camera,))

    down, unjudged = _line_problems([line])

    assert down == "camera metal/top is down: no such folder"
    assert "recorded, not judged" in unjudged


def test_a_ledger_that_does_not_add_up_is_a_problem() -> None:
    assert _ledger_problems(make_ledger(sent=5, inspected=5), 0) == []
    assert "rebuild" in _ledger_problems(make_ledger(sent=5, inspected=6), 0)[0]
    assert "3 frames were deleted" in _ledger_problems(make_ledger(sent=5, expired=3), 0)[0]
    assert "recorder" in _ledger_problems(None, 501)[0]
