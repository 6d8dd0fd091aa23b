"""Verdicts as JSON: today's record is the golden one, and what contradicts itself is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.contract.inspection import Decision
from services.contract.verdict import Answer, Verdict

GOLDEN = Path(__file__).parent / "golden" / "verdict-v1.json"


def golden(**changes: Any) -> dict[str, Any]:
    return {**json.loads(GOLDEN.read_text()), **changes}


def test_a_verdict_is_written_as_the_golden_record() -> None:
    assert json.loads(Verdict.from_json(GOLDEN.read_bytes()).to_json()) == golden()


def test_the_golden_verdict_means_what_it_says() -> None:
    verdict = Verdict.from_json(GOLDEN.read_bytes())

    assert (verdict.answer, verdict.defect_class, verdict.decision, verdict.blind) == (Answer.DEFECT, "scratch", Decision.PASS, True)
    assert (verdict.identity.line, verdict.identity.sequence) == ("metal", 41)


def test_every_field_is_in_the_golden_record() -> None:
    assert set(Verdict.model_fields) == set(golden())


def test_unknown_fields_are_ignored() -> None:
    assert Verdict.model_validate(golden(weather="fair")) == Verdict.from_json(GOLDEN.read_bytes())


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": "good"},  # with a class and a mask
        {"answer": "withdrawn"},
        {"answer": "withdrawn", "defect_class": None, "mask_path": None, "mask_source": None, "supersedes": None},
        {"mask_source": None},
        {"mask_path": None},
        {"probability": 0},
        {"given_at": "2026-11-02T08:30:00"},  # in which time zone?
        {"answer": "perhaps"},
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Verdict.model_validate(golden(**changes))
