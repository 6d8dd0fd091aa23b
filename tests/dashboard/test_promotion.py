"""Over REST: a candidate judges its line where the gate passed it or somebody says why, at once, and the one before comes back."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.registry import Registry, shipped
from services.contract.settings import Settings
from services.records.audit import Actor, Audit
from services.records.database import Database
from services.records.jobs import Jobs, Trigger
from services.records.store import JudgedBy, Records
from tests.builders import MODEL_VERSION, make_calibration
from tests.dashboard.conftest import MemoryStore

LINE = "brushed-metal"
"""One that the shipped detector has a calibration for."""


@pytest.fixture
def candidate(plant_settings: Settings, records: Records) -> str:
    records.add_line(LINE, judged_by=JudgedBy(MODEL_VERSION, make_calibration(), {}), by=Actor("anna", "admin"))
    return Registry(plant_settings.models_path).add(shipped("demo")).id


def finished(jobs: Jobs, candidate: str, answer: str = "passed", champion: str = MODEL_VERSION) -> str:
    job, _ = jobs.ask(LINE, Trigger.CLICK, Actor("anna", "supervisor"))
    jobs.claim("trainer", timedelta(seconds=30))
    result: dict[str, Any] = {"candidate": candidate, "champion": champion, "gate": {"answer": answer, "reasons": ["pixel_ap: fell"]}}
    jobs.finish(job.id, "trainer", result)
    return job.id


async def promote(client: httpx.AsyncClient, job: str, **wanted: str) -> httpx.Response:
    return await client.post(f"/api/v1/jobs/{job}/promote", json=wanted)


async def test_what_the_gate_passed_judges_at_once_with_its_own_thresholds_until_somebody_goes_back(
    client: httpx.AsyncClient, jobs: Jobs, candidate: str, store: MemoryStore, plant_settings: Settings
) -> None:
    promoted = await promote(client, finished(jobs, candidate))

    assert (promoted.status_code, promoted.json()["model_version"], promoted.json()["reason"]) == (200, candidate, "the gate passed it")
    assert store.active[LINE].model_version == candidate
    calibration = store.active[LINE].calibration
    suggested = Registry(plant_settings.models_path).fetch(candidate).suggested_calibration(LINE)
    assert calibration is not None
    assert suggested is not None
    assert (calibration.review, calibration.fail) == (suggested["review"], suggested["fail"])

    back = await client.post(f"/api/v1/lines/{LINE}/rollback", json={"reason": "too many rejects", "to": MODEL_VERSION[:12]})

    assert (back.status_code, back.json()["model_version"]) == (200, MODEL_VERSION)
    assert store.active[LINE].model_version == MODEL_VERSION
    deeds = Audit(Database(plant_settings.records_url)).deeds(action="model.")
    assert [(deed.user, deed.action, deed.details["reason"]) for deed in deeds] == [
        ("token:client", "model.rollback", "too many rejects"),
        ("token:client", "model.promote", "the gate passed it"),
    ]


async def test_what_the_gate_refused_stays_refused_whatever_anybody_says(client: httpx.AsyncClient, jobs: Jobs, candidate: str, records: Records) -> None:
    refused = await promote(client, finished(jobs, candidate, "refused"), reason="I like it")

    assert refused.status_code == 409
    assert "pixel_ap: fell" in refused.json()["detail"]
    assert records.active(LINE).model_version == MODEL_VERSION


async def test_too_little_evidence_needs_a_reason(client: httpx.AsyncClient, jobs: Jobs, candidate: str) -> None:
    job = finished(jobs, candidate, "insufficient evidence")

    assert (await promote(client, job)).status_code == 409
    allowed = await promote(client, job, reason="seen on forty parts by hand")

    assert (allowed.status_code, allowed.json()["reason"]) == (200, "seen on forty parts by hand")


async def test_a_candidate_that_was_compared_with_another_model_is_not_promoted(client: httpx.AsyncClient, jobs: Jobs, candidate: str) -> None:
    stale = await promote(client, finished(jobs, candidate, champion="ee" * 32))

    assert stale.status_code == 409


async def test_without_a_candidate_or_a_model_before_there_is_nothing_to_put_to_work(client: httpx.AsyncClient, jobs: Jobs, candidate: str) -> None:
    queued, _ = jobs.ask(LINE, Trigger.CLICK, Actor("anna", "supervisor"))

    assert "it is queued" in (await promote(client, queued.id)).json()["detail"]
    jobs.cancel(queued.id, Actor("anna", "supervisor"))
    broken = await promote(client, finished(jobs, "ab" * 32))
    assert broken.status_code == 422
    assert (await client.post(f"/api/v1/lines/{LINE}/rollback", json={"reason": "back"})).status_code == 409
    assert (await client.post(f"/api/v1/lines/{LINE}/rollback", json={})).status_code == 422
    unknown = await client.post(f"/api/v1/lines/{LINE}/rollback", json={"reason": "back", "to": "ab12cd"})
    assert (unknown.status_code, "begins with 'ab12cd' and that judged before" in unknown.json()["detail"]) == (409, True)
    assert (await client.post(f"/api/v1/lines/{LINE}/rollback", json={"reason": "back", "to": "nonsense"})).status_code == 422


async def test_a_candidate_whose_files_were_changed_changes_nothing(
    client: httpx.AsyncClient, jobs: Jobs, candidate: str, plant_settings: Settings, records: Records
) -> None:
    (plant_settings.models_path / candidate / "card.json").write_text("{}")

    broken = await promote(client, finished(jobs, candidate))

    assert broken.status_code == 422
    assert "something in it was changed" in broken.json()["detail"]
    assert records.active(LINE).model_version == MODEL_VERSION
