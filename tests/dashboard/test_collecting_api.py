"""REST of a line without a model: its recorded frames, what is good of them, its first training, and putting that to work."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from models.registry import Registry, shipped
from services.contract.settings import RetrainingSettings, Settings
from services.dashboard.parts import Parts
from services.dashboard.people import People
from services.records.accounts import Role
from services.records.audit import Audit
from services.records.database import Database
from services.records.jobs import Jobs
from services.records.store import Records
from services.results.standby import Report
from tests.dashboard.conftest import TEST, FakeServe, MemoryStore
from tests.recorded_frames import record_frames

LINE = "brushed-metal"
"""One that the shipped detector has a calibration for."""
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FRAMES = 30
NEEDED = 24


@pytest.fixture
def plant_settings(plant_settings: Settings) -> Settings:
    return plant_settings.model_copy(update={"retraining": RetrainingSettings(first_frames=NEEDED)})


@pytest.fixture
def recorded(plant_settings: Settings, parts: Parts) -> list[str]:
    """Frame ids, oldest first; one more was recorded while the line was paused, and has no picture."""
    parts.records.add_line(LINE)
    return record_frames(plant_settings, LINE, FRAMES, first_at=NOON, paused=1)


async def choose(client: httpx.AsyncClient, **wanted: list[str]) -> httpx.Response:
    return await client.put(f"/api/v1/lines/{LINE}/recorded", json=wanted)


async def test_what_was_recorded_is_listed_newest_first_with_what_was_said_of_it(client: httpx.AsyncClient, recorded: list[str]) -> None:
    said = await choose(client, keep=recorded[-2:], drop=[recorded[-3]])
    first = (await client.get(f"/api/v1/lines/{LINE}/recorded", params={"limit": 4})).json()
    second = (await client.get(f"/api/v1/lines/{LINE}/recorded", params={"limit": 100, "after": first["after"]})).json()

    assert (said.status_code, said.json()) == (200, {"kept": 2, "dropped": 1, "needed": NEEDED, "missing": MISSING})
    assert [row["frame_id"] for row in (*first["rows"], *second["rows"])] == recorded[::-1]
    assert [row["kept"] for row in first["rows"]] == [True, True, False, None]
    assert first["rows"][0]["chosen_by"] == "token:client"
    assert (first["missing"], second["after"]) == (MISSING, None)


MISSING = f"2 of the {NEEDED} good frames that a first training needs are kept: keep {NEEDED - 2} more"


async def test_frames_that_were_not_recorded_are_not_kept(client: httpx.AsyncClient, recorded: list[str]) -> None:
    strange = await choose(client, keep=[recorded[0], f"{LINE}/top/s1/{FRAMES}"])

    assert strange.status_code == 404
    assert strange.json()["detail"].endswith(f"got {LINE}/top/s1/{FRAMES}")
    assert (await client.get(f"/api/v1/lines/{LINE}/recorded")).json()["kept"] == 0
    assert (await choose(client, keep=recorded[:1], drop=recorded[:1])).status_code == 422
    assert (await client.get("/api/v1/lines/brass/recorded")).status_code == 404


async def test_a_first_training_is_asked_for_once_there_are_enough_and_its_plan_is_frozen(client: httpx.AsyncClient, recorded: list[str], jobs: Jobs) -> None:
    await choose(client, keep=recorded[:2])
    early = await client.post(f"/api/v1/lines/{LINE}/first-training")
    await choose(client, keep=recorded[2 : NEEDED + 1])
    asked = await client.post(f"/api/v1/lines/{LINE}/first-training")
    await choose(client, drop=recorded[:1])
    again = await client.post(f"/api/v1/lines/{LINE}/first-training")

    assert (early.status_code, early.json()["detail"]) == (409, f"line {LINE}: {MISSING}")
    assert (asked.status_code, asked.json()["kind"], asked.json()["plan"]["frames"]) == (202, "first", NEEDED + 1)
    assert (again.json()["id"], again.json()["joined"]) == (asked.json()["id"], True)
    plan = jobs.job(asked.json()["id"]).plan
    assert (plan["recipe"], plan["seed"], len(plan["frames"])) == ("small", 0, NEEDED + 1)
    assert all(group.startswith(f"{LINE}/part/p") for group in plan["frames"])


@pytest.fixture
async def trained(client: httpx.AsyncClient, recorded: list[str], jobs: Jobs, plant_settings: Settings) -> dict[str, Any]:
    """The first training, finished with the shipped detector."""
    await choose(client, keep=recorded)
    job = (await client.post(f"/api/v1/lines/{LINE}/first-training")).json()
    jobs.claim("trainer", timedelta(seconds=30))
    jobs.finish(job["id"], "trainer", {"candidate": Registry(plant_settings.models_path).add(shipped("demo")).id, "calibration": {}})
    return dict(job)


async def test_put_to_work_it_judges_at_once_and_only_the_first_time(
    client: httpx.AsyncClient, trained: dict[str, Any], store: MemoryStore, plant_settings: Settings
) -> None:
    started = await client.post(f"/api/v1/jobs/{trained['id']}/start", json={"reason": "forty parts by hand"})
    again = await client.post(f"/api/v1/jobs/{trained['id']}/start", json={"reason": "once more"})
    retrained = await client.post(f"/api/v1/lines/{LINE}/first-training")

    assert started.status_code == 200
    assert store.active[LINE].model_version == started.json()["model_version"]
    assert (again.status_code, retrained.status_code) == (409, 409)
    [deed] = Audit(Database(plant_settings.records_url)).deeds(action="model.start")
    assert (deed.user, deed.subject, deed.details["reason"]) == ("token:client", LINE, "forty parts by hand")


async def test_what_no_replica_can_judge_with_is_not_put_to_work(
    client: httpx.AsyncClient, trained: dict[str, Any], store: MemoryStore, serve: FakeServe, records: Records
) -> None:
    store.said = lambda version: {"one": Report(error="golden frames differ")}

    refused = await client.post(f"/api/v1/jobs/{trained['id']}/start", json={"reason": "forty parts by hand"})

    assert refused.status_code == 409
    assert records.active(LINE).model_version is None


async def test_it_has_no_gate_and_is_not_promoted_and_a_retraining_is_not_started(
    client: httpx.AsyncClient, trained: dict[str, Any], records: Records, jobs: Jobs
) -> None:
    records.add_line("wood")
    other = (await client.post("/api/v1/lines/wood/retrain")).json()["id"]

    promoted = await client.post(f"/api/v1/jobs/{trained['id']}/promote", json={"reason": "why not"})
    started = await client.post(f"/api/v1/jobs/{other}/start", json={"reason": "why not"})

    assert (promoted.status_code, f"loupe line start {LINE}" in promoted.json()["detail"]) == (409, True)
    assert started.status_code == 409


async def test_an_operator_may_look_and_choose_nothing(anybody: httpx.AsyncClient, people: People, recorded: list[str]) -> None:
    anybody.headers["authorization"] = f"Bearer {people.logins.add_token('watcher', Role.OPERATOR, by=TEST)}"

    assert (await anybody.get(f"/api/v1/lines/{LINE}/recorded")).status_code == 200
    assert (await choose(anybody, keep=recorded[:1])).status_code == 403
    assert (await anybody.post(f"/api/v1/lines/{LINE}/first-training")).status_code == 403
