"""Over REST: the versions of a line with what the gate measured and who let them judge, and one version with its card."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.registry import Registry, shipped
from services.contract.settings import Settings
from services.records.audit import Actor
from services.records.jobs import JobKind, Jobs, Trigger
from services.records.judging import Judging
from services.records.store import JudgedBy, Records
from tests.builders import MODEL_VERSION, make_calibration
from tests.dashboard.conftest import FakeServe, MemoryStore

LINE = "brushed-metal"
"""One that the shipped detector has a calibration for."""
ANNA = Actor("anna", "supervisor")
NEXT, BAD = "cd" * 32, "ef" * 32


@pytest.fixture(autouse=True)
def _line(records: Records) -> None:
    records.add_line(LINE, judged_by=JudgedBy(MODEL_VERSION, make_calibration(), {"groups": 300}), by=ANNA)


def measured(champion: float, candidate: float) -> dict[str, Any]:
    return {"champion": champion, "candidate": candidate, "difference": candidate - champion, "interval": (-0.01, 0.05)}


def finished(jobs: Jobs, candidate: str, answer: str = "passed", kind: JobKind = JobKind.RETRAIN) -> str:
    job, _ = jobs.ask(LINE, Trigger.CLICK, ANNA, kind=kind)
    jobs.claim("trainer", timedelta(seconds=30))
    jobs.settle(job.id, "trainer", {"dataset": "da" * 32, "champion": MODEL_VERSION})
    measures = {"image_auroc": measured(0.9, 0.95), "image_ap": measured(0.8, 0.9), "pixel_ap": measured(0.5, 0.6)}
    shares = {"false_rejects": measured(0.02, 0.01), "recall": {**measured(0.9, 0.95), "lost": ["brushed-metal/cam1/s1/1"], "won": []}}
    gate = {"answer": answer, "reasons": ["as it is"], "measures": measures, **shares}
    jobs.finish(job.id, "trainer", {"candidate": candidate, "champion": MODEL_VERSION, "gate": gate})
    return job.id


def promote(judging: Judging, version: str = NEXT) -> None:
    judging.promote(LINE, version, make_calibration(calibration_id="c2"), {"groups": 250}, over=MODEL_VERSION, by=ANNA, reason="the gate passed it")


async def versions(client: httpx.AsyncClient, **asked: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"/api/v1/lines/{LINE}/models", params=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_a_line_tells_what_judges_it_what_did_and_what_might(client: httpx.AsyncClient, jobs: Jobs, judging: Judging) -> None:
    made = finished(jobs, NEXT)
    promote(judging)
    finished(jobs, BAD, "refused")
    finished(jobs, "aa" * 32, "insufficient evidence")
    finished(jobs, "bb" * 32)

    found = await versions(client)

    told = [(one["id"], one["state"]) for one in found]
    states = ["candidate", "insufficient evidence", "refused", "judges", "judged"]
    assert told == list(zip(["bb" * 32, "aa" * 32, BAD, NEXT, MODEL_VERSION], states, strict=True))
    judges = found[3]
    assert (judges["job"], judges["parent"], judges["products"], judges["answer"]) == (made, MODEL_VERSION, [None], "passed")
    assert judges["dataset"] == {"id": "da" * 32, "pictures": None, "good": None, "defect": None}
    [activation] = judges["activations"]
    assert (activation["activated_by"], activation["reason"], activation["calibration"]["calibration_id"]) == ("anna", "the gate passed it", "c2")


async def test_measures_are_told_without_the_frames_behind_them(client: httpx.AsyncClient, jobs: Jobs) -> None:
    finished(jobs, NEXT)

    found = (await versions(client))[0]["measures"]

    assert list(found) == ["image_auroc", "image_ap", "pixel_ap", "false_rejects", "recall"]
    assert found["recall"] == measured(0.9, 0.95) | {"interval": [-0.01, 0.05]}


async def test_what_a_roll_back_would_bring_is_marked(client: httpx.AsyncClient, judging: Judging) -> None:
    assert [one["comes_back"] for one in await versions(client)] == [False]
    promote(judging)

    assert {one["id"]: one["comes_back"] for one in await versions(client)} == {NEXT: False, MODEL_VERSION: True}

    judging.roll_back(LINE, judging.way_back(LINE), by=ANNA, reason="too many rejects")

    found = {one["id"]: one for one in await versions(client)}
    assert {version: one["comes_back"] for version, one in found.items()} == {NEXT: True, MODEL_VERSION: False}
    assert [one["reason"] for one in found[MODEL_VERSION]["activations"]] == ["too many rejects", None]


async def test_what_judges_is_told_whatever_the_limit(client: httpx.AsyncClient, jobs: Jobs) -> None:
    for candidate in (NEXT, BAD):
        finished(jobs, candidate)

    assert [one["id"] for one in await versions(client, limit=1)] == [BAD, MODEL_VERSION]


async def test_a_backtest_makes_no_version_and_a_first_training_has_no_gate(client: httpx.AsyncClient, jobs: Jobs) -> None:
    finished(jobs, NEXT, kind=JobKind.BACKTEST)
    job, _ = jobs.ask(LINE, Trigger.CLICK, ANNA, kind=JobKind.FIRST)
    jobs.claim("trainer", timedelta(seconds=30))
    jobs.finish(job.id, "trainer", {"candidate": BAD})

    first, before = await versions(client)

    assert (first["id"], first["state"], first["answer"], first["measures"], first["parent"]) == (BAD, "candidate", None, {}, None)
    assert before["id"] == MODEL_VERSION


async def test_a_version_is_told_with_its_card_and_calibrations(client: httpx.AsyncClient, plant_settings: Settings, records: Records) -> None:
    version = Registry(plant_settings.models_path).add(shipped("demo"))
    records.add_line("wood", judged_by=JudgedBy(version.id, make_calibration(), {}), by=ANNA)

    found = (await client.get(f"/api/v1/models/{version.id[:12]}")).json()

    assert (found["id"], found["name"], found["lines"], found["preprocessing"]) == (version.id, "demo", ["wood"], version.preprocessing.to_dict())
    assert LINE in found["calibrations"]
    assert "calibrations" not in found["card"]
    assert found["size"] > (version.path / "weights.safetensors").stat().st_size


async def test_what_is_not_there_or_was_changed_is_said(client: httpx.AsyncClient, plant_settings: Settings) -> None:
    version = Registry(plant_settings.models_path).add(shipped("demo"))
    (version.path / "card.json").write_text("{}")

    changed = await client.get(f"/api/v1/models/{version.id}")

    assert (changed.status_code, "something in it was changed" in changed.json()["detail"]) == (500, True)
    assert (await client.get(f"/api/v1/models/{'12' * 32}")).status_code == 404
    assert (await client.get("/api/v1/lines/nowhere/models")).status_code == 404


async def test_each_replica_that_runs_is_told_with_what_it_has_loaded(client: httpx.AsyncClient, store: MemoryStore, serve: FakeServe) -> None:
    store.loaded = {"one": (MODEL_VERSION, NEXT), "gone": (MODEL_VERSION,)}

    told = (await client.get("/api/v1/replicas/holding")).json()

    assert [(one["replica"], one["versions"]) for one in told] == [("one", [MODEL_VERSION, NEXT]), ("two", None)]
    serve.running = None
    assert (await client.get("/api/v1/replicas/holding")).json() == []
