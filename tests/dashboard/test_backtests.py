"""REST of backtests: for whose candidate, how far back, beside which model; and whose frames a reader may not see yet."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.dashboard.parts import Parts
from services.records.jobs import Jobs, JobState, Trigger
from services.records.store import Records
from tests.builders import MODEL_VERSION, make_calibration
from tests.dashboard.conftest import TEST
from tests.dashboard.test_training_api import flagged

LEASE = timedelta(seconds=30)
RESULT = {"candidate": "cd" * 32, "champion": MODEL_VERSION, "calibration": {"review": 0.3, "fail": 0.8}, "gate": {"answer": "passed", "reasons": []}}


@pytest.fixture(autouse=True)
def _judged_line(records: Records) -> None:
    records.add_line("metal")
    records.add_calibration("metal", MODEL_VERSION, make_calibration())
    records.activate("metal", MODEL_VERSION, "c1", by="test")


def retrained(jobs: Jobs, result: dict[str, Any]) -> str:
    job, _ = jobs.ask("metal", Trigger.CLICK, TEST)
    jobs.claim("trainer", LEASE)
    jobs.finish(job.id, "trainer", result)
    return job.id


async def test_a_backtest_goes_by_the_candidates_thresholds_and_the_model_of_now(client: httpx.AsyncClient, jobs: Jobs) -> None:
    job = retrained(jobs, RESULT)

    asked = (await client.post(f"/api/v1/jobs/{job}/backtest", json={"minutes": 30})).json()
    again = (await client.post(f"/api/v1/jobs/{job}/backtest", json={})).json()

    assert (asked["kind"], asked["state"], asked["joined"], again["joined"], again["id"]) == ("backtest", "queued", False, True, asked["id"])
    expected = {"job": job, "minutes": 30, "candidate": "cd" * 32, "review": 0.3, "champion": MODEL_VERSION, "champion_review": 0.4}
    assert asked["plan"] == expected


@pytest.mark.parametrize("minutes", [0, 61])
async def test_a_backtest_of_no_or_too_many_minutes_is_refused(client: httpx.AsyncClient, jobs: Jobs, minutes: int) -> None:
    assert (await client.post(f"/api/v1/jobs/{retrained(jobs, RESULT)}/backtest", json={"minutes": minutes})).status_code == 422


async def test_a_candidate_without_thresholds_cannot_be_tried(client: httpx.AsyncClient, jobs: Jobs) -> None:
    answer = await client.post(f"/api/v1/jobs/{retrained(jobs, {**RESULT, 'calibration': None})}/backtest", json={})

    assert answer.status_code == 409
    assert "with thresholds for its candidate" in answer.json()["detail"]


async def test_frames_that_a_reader_has_yet_to_answer_blind_are_not_named(client: httpx.AsyncClient, parts: Parts, jobs: Jobs) -> None:
    parts.records.flagged.add([flagged(parts, 1), flagged(parts, 2, blind=True)])
    asked = (await client.post(f"/api/v1/jobs/{retrained(jobs, RESULT)}/backtest", json={})).json()["id"]
    jobs.claim("trainer", LEASE)
    changes = [{"frame_id": f"metal/top/s1/{number}", "before": 0.2, "after": 0.8, "flagged": True} for number in (1, 2)]
    jobs.finish(asked, "trainer", {"frames": 2, "changes": changes})

    found = (await client.get(f"/api/v1/jobs/{asked}")).json()

    assert jobs.job(asked).state is JobState.FINISHED
    assert [change["frame_id"] for change in found["result"]["changes"]] == ["metal/top/s1/1"]
