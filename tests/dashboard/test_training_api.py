"""REST of retrainings: asking, joining, looking, cancelling, and who may."""

from datetime import timedelta

import httpx
import pytest

from services.contract.inspection import Archived, Decision, Inspection
from services.contract.settings import Settings
from services.contract.verdict import Answer
from services.dashboard.parts import Parts
from services.dashboard.people import People
from services.records.accounts import Role
from services.records.audit import Actor
from services.records.jobs import Jobs, Trigger
from services.records.store import Records
from services.review.verdicts import Said
from tests.builders import make_inspection, make_jpeg
from tests.dashboard.conftest import TEST
from training.job_files import LOG, LOSSES, write_json

LEASE = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def _lines(records: Records) -> None:
    records.add_line("metal")
    records.add_line("wood")


async def test_a_click_asks_and_a_second_one_joins(client: httpx.AsyncClient) -> None:
    asked = await client.post("/api/v1/lines/metal/retrain")
    again = await client.post("/api/v1/lines/metal/retrain")
    other = await client.post("/api/v1/lines/wood/retrain")

    assert (asked.status_code, again.status_code) == (202, 202)
    assert (asked.json()["joined"], again.json()["joined"], other.json()["joined"]) == (False, True, False)
    assert again.json()["id"] == asked.json()["id"]
    assert (asked.json()["state"], asked.json()["asked_by"], other.json()["before"]) == ("queued", "token:client", 1)
    listed = (await client.get("/api/v1/jobs", params={"line": "metal"})).json()
    assert [job["id"] for job in listed] == [asked.json()["id"]]


async def test_how_a_job_goes_and_what_came_of_it_is_told(client: httpx.AsyncClient, jobs: Jobs) -> None:
    job = (await client.post("/api/v1/lines/metal/retrain")).json()["id"]
    jobs.claim("trainer", LEASE)
    jobs.settle(job, "trainer", {"dataset": "d"})
    jobs.renew(job, "trainer", LEASE, {"stage": "detection", "step": 50, "steps": 400})

    running = (await client.get(f"/api/v1/jobs/{job}")).json()
    assert (running["state"], running["plan"], running["progress"]["step"]) == ("running", {"dataset": "d"}, 50)

    jobs.finish(job, "trainer", {"candidate": "abc", "gate": {"answer": "refused", "reasons": ["worse"]}})
    finished = (await client.get(f"/api/v1/jobs/{job}")).json()
    assert (finished["state"], finished["result"]["gate"]["answer"], finished["error"]) == ("finished", "refused", None)


async def test_a_job_is_cancelled_and_it_is_known_by_whom(client: httpx.AsyncClient, people: People) -> None:
    job = (await client.post("/api/v1/lines/metal/retrain")).json()["id"]

    cancelled = await client.post(f"/api/v1/jobs/{job}/cancel")

    assert (cancelled.json()["state"], cancelled.json()["cancel_asked_by"]) == ("cancelled", "token:client")
    assert [deed.action for deed in people.audit.deeds(action="retrain.")] == ["retrain.cancel", "retrain.ask"]


@pytest.mark.parametrize(("method", "path"), [("POST", "lines/brass/retrain"), ("GET", "jobs/brass-1"), ("POST", "jobs/brass-1/cancel")])
async def test_what_there_is_not_is_said(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, f"/api/v1/{path}")

    assert answer.status_code == 404
    assert "brass" in answer.json()["detail"]


async def test_an_operator_may_look_and_not_ask(anybody: httpx.AsyncClient, people: People, jobs: Jobs) -> None:
    job, _ = jobs.ask("metal", "click", Actor("anna", "supervisor"))  # type: ignore[arg-type]
    anybody.headers["authorization"] = f"Bearer {people.logins.add_token('watcher', Role.OPERATOR, by=TEST)}"

    assert (await anybody.get("/api/v1/jobs")).json()[0]["id"] == job.id
    for path in ("lines/metal/retrain", f"jobs/{job.id}/cancel"):
        assert (await anybody.post(f"/api/v1/{path}")).status_code == 403


async def test_lines_are_told_with_what_would_start_their_next_retraining(client: httpx.AsyncClient, parts: Parts, jobs: Jobs) -> None:
    parts.records.flagged.add([flagged(parts, 1), flagged(parts, 2)])
    parts.desk.verdicts.give("metal/top/s1/1", Said(answer=Answer.GOOD), Actor("anna", "supervisor"))

    metal, wood = (await client.get("/api/v1/training")).json()

    assert (metal["line"], metal["new_verdicts"], metal["after_verdicts"], metal["model_version"], metal["job"]) == ("metal", 1, 50, None, None)
    assert wood["new_verdicts"] == 0
    asked = (await client.post("/api/v1/lines/metal/retrain")).json()["id"]
    metal, _ = (await client.get("/api/v1/training")).json()
    assert (metal["new_verdicts"], metal["job"]["id"]) == (0, asked)


async def test_curve_and_log_are_told_where_they_lie_on_this_machine(client: httpx.AsyncClient, plant_settings: Settings) -> None:
    job = (await client.post("/api/v1/lines/metal/retrain")).json()["id"]
    elsewhere = await client.get(f"/api/v1/jobs/{job}/log")
    assert (elsewhere.status_code, "not on this machine" in elsewhere.json()["detail"]) == (404, True)
    folder = plant_settings.retraining_path / job
    folder.mkdir(parents=True)

    assert (await client.get(f"/api/v1/jobs/{job}/losses")).json() == {"points": []}
    assert (await client.get(f"/api/v1/jobs/{job}/log")).json() == {"lines": []}

    write_json(folder / LOSSES, {"points": [("detection", 10, 0.5)]})
    (folder / LOG).write_text("\n".join(f"line {number}" for number in range(3000)))
    assert (await client.get(f"/api/v1/jobs/{job}/losses")).json() == {"points": [["detection", 10, 0.5]]}
    lines = (await client.get(f"/api/v1/jobs/{job}/log")).json()["lines"]
    assert (lines[-1], len(lines) < 2000) == ("line 2999", True)


async def test_the_report_leaves_out_what_its_reader_has_yet_to_answer_blind(client: httpx.AsyncClient, parts: Parts, jobs: Jobs) -> None:
    parts.records.flagged.add([flagged(parts, 1), flagged(parts, 2, blind=True)])
    parts.desk.verdicts.give("metal/top/s1/1", Said(answer=Answer.GOOD), Actor("anna", "supervisor"))
    dataset = parts.datasets.build("metal")
    changes = [{"frame_id": f"metal/top/s1/{number}", "kind": "good", "champion": 0.2, "candidate": 0.8, "worse": True} for number in (2, 1)]
    job, _ = jobs.ask("metal", Trigger.CLICK, TEST)
    jobs.claim("trainer", LEASE)
    jobs.settle(job.id, "trainer", {"dataset": dataset.id})
    jobs.finish(job.id, "trainer", {"candidate": "ab", "gate": {"answer": "refused", "reasons": [], "recall": {"lost": [], "won": []}, "changes": changes}})

    shown = (await client.get(f"/api/v1/jobs/{job.id}")).json()["result"]["gate"]["changes"]

    assert [change["frame_id"] for change in shown] == ["metal/top/s1/1"]
    picture = await client.get(f"/api/v1/jobs/{job.id}/changes/0/image")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    again = await client.get(f"/api/v1/jobs/{job.id}/changes/0/image", headers={"if-none-match": picture.headers["etag"]})
    assert again.status_code == 304
    assert (await client.get(f"/api/v1/jobs/{job.id}/changes/1/image")).status_code == 404


def flagged(parts: Parts, number: int, *, blind: bool = False) -> Inspection:
    path = parts.archive.put("frames", make_jpeg(shade=60 + number))
    archived = Archived(reason="blind-check" if blind else "flagged", probability=0.01 if blind else 1, frame_path=path)
    return make_inspection(number, decision=Decision.PASS if blind else Decision.FAIL, archived=archived)
