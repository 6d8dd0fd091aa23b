"""Inspections and activations as JSON: today's records are the golden ones, and tomorrow's additions are passed over."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.contract.inspection import Active, Archived, Calibration, Decision, Inspection, Outcome
from tests.builders import CAPTURED_AT, make_active, make_calibration, make_inspection, make_timings

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((GOLDEN / name).read_text())
    return record


@pytest.mark.parametrize("name", ["inspection-v1.json", "inspection-failed-v1.json"])
def test_an_inspection_is_written_as_the_golden_record(name: str) -> None:
    record = golden(name)

    assert json.loads(Inspection.from_json(json.dumps(record).encode()).to_json()) == record


def test_the_golden_inspection_means_what_it_says() -> None:
    inspection = Inspection.from_json((GOLDEN / "inspection-v1.json").read_bytes())

    assert (inspection.outcome, inspection.decision, inspection.flagged) == (Outcome.INSPECTED, Decision.FAIL, True)
    assert (inspection.identity.line, inspection.identity.sequence, inspection.source.offset) == ("metal", 41, 1041)
    assert inspection.latency_ms == 200
    assert inspection.regions[0].area == 411


def test_the_golden_activation_is_one_value_of_model_and_calibration() -> None:
    record = golden("active-v1.json")
    active = Active.model_validate(record)

    assert json.loads(active.model_dump_json()) == record
    assert active.judging
    assert active.calibration == Calibration(calibration_id="c1", review=0.4, fail=0.7, map_threshold=0.5)


def test_an_activation_from_before_there_were_products_judges_whatever_comes() -> None:
    record = {name: value for name, value in golden("active-v1.json").items() if name not in {"product", "products", "blind_check_rate"}}
    active = Active.model_validate(record)

    assert active.of_product("ring-60").judging
    assert active.blind_check_rate is None


def test_every_field_is_in_a_golden_record() -> None:
    """A field added to the contract is added to a golden record too."""
    spelled_out = {*golden("inspection-v1.json"), *golden("inspection-failed-v1.json")}

    assert set(Inspection.model_fields) == spelled_out
    assert set(Active.model_fields) == set(golden("active-v1.json"))


def test_unknown_fields_are_ignored() -> None:
    record = {**golden("inspection-v1.json"), "weather": "fair"}

    assert Inspection.from_json(json.dumps(record).encode()) == Inspection.model_validate(golden("inspection-v1.json"))


def test_a_later_schema_version_is_refused() -> None:
    record = {**golden("inspection-v1.json"), "schema_version": 2}

    with pytest.raises(ValidationError, match="schema_version"):
        Inspection.from_json(json.dumps(record).encode())


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        make_inspection(timings=make_timings().model_dump() | {"captured_at": "2026-03-02T06:30:41"})


def test_a_camera_whose_clock_runs_ahead_gives_a_negative_latency() -> None:
    timings = make_timings().model_copy(update={"captured_at": CAPTURED_AT + timedelta(seconds=9)})

    assert timings.latency_ms == -8800


@pytest.mark.parametrize(("decision", "flagged"), [(Decision.PASS, False), (Decision.REVIEW, True), (Decision.FAIL, True)])
def test_review_and_fail_are_flagged(decision: Decision, flagged: bool) -> None:
    assert make_inspection(decision=decision).flagged is flagged


def test_a_passed_frame_drawn_for_a_blind_check_is_flagged() -> None:
    drawn = Archived(reason="blind-check", probability=0.01, frame_path="frames/aa/aa")

    assert make_inspection(decision=Decision.PASS, archived=drawn).flagged


@pytest.mark.parametrize("without", [{"paused": True}, {"model_version": None}, {"calibration": None}])
def test_a_line_is_judged_only_with_a_model_and_a_calibration_and_not_while_paused(without: dict[str, Any]) -> None:
    assert make_active().judging
    assert not make_active(**without).judging


@pytest.mark.parametrize("threshold", [{"review": -0.1}, {"fail": -1}, {"map_threshold": 1.2}])
def test_thresholds_have_bounds(threshold: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        make_calibration(**threshold)
