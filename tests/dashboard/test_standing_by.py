"""A version judges only once every replica that runs has loaded and tested it; automatic promotion does so without a click, once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.registry import Registry, shipped
from services.contract.settings import InspectorSettings, Settings
from services.dashboard.automatic import REASON, Automatic
from services.dashboard.parts import Parts
from services.dashboard.promotion import roll_back
from services.dashboard.standby import NotReadyError, RejectedVersionError, standing_by
from services.inspection.deploy import ReplicaState
from services.records.audit import Actor, Audit
from services.records.database import Database
from services.records.jobs import Jobs, Trigger
from services.records.judging import Judging
from services.records.store import JudgedBy, Records
from services.results.standby import Report
from tests.builders import MODEL_VERSION, make_calibration
from tests.dashboard.conftest import FakeServe, MemoryStore

ANNA = Actor("anna", "supervisor")
LINE = "brushed-metal"
"""One that the shipped detector has a calibration for."""
OLD = {"one": Report()}
BROKEN = {"one": Report(), "two": Report(error="00.png: expected a score within 0.001 of 0.5, got 0.9")}


def hasty(parts: Parts) -> Parts:
    return replace(parts, settings=parts.settings.model_copy(update={"inspector": InspectorSettings(standby_s=0.1)}))


async def test_the_block_begins_when_all_that_run_are_ready_those_that_came_meanwhile_too(parts: Parts, store: MemoryStore, serve: FakeServe) -> None:
    looks: list[tuple[str, ...]] = []

    def said(version: str) -> dict[str, Report]:
        assert serve.running is not None
        looks.append(serve.running)
        serve.running = ("one", "two", "three") if len(looks) == 1 else serve.running
        return {name: Report() for name in ("one", "two", "three")[: len(looks) + 1]}

    store.said = said
    async with standing_by(parts, "v2"):
        assert looks == [("one", "two"), ("one", "two", "three")]
    assert store.on_standby == {"v2"}


async def test_serve_is_not_asked_again_and_again_while_replicas_load(parts: Parts, store: MemoryStore, serve: FakeServe) -> None:
    asked: list[ReplicaState] = []
    answers = iter([{}, {}, OLD, {"one": Report(), "two": Report()}])
    store.said = lambda version: next(answers)

    async with standing_by(replace(parts, replicas=lambda: asked.append(serve.state()) or asked[-1]), "v2"):
        assert len(asked) == 2  # for their names, and after the last answer


async def test_what_one_replica_cannot_judge_with_is_refused_in_its_words_and_let_go(parts: Parts, store: MemoryStore) -> None:
    store.said = lambda version: BROKEN

    with pytest.raises(RejectedVersionError, match=r"00\.png: expected a score"):
        async with standing_by(parts, "v2"):
            raise AssertionError("nobody may judge with it")
    assert store.on_standby == set()


@pytest.mark.parametrize(("running", "why"), [(("one", "two"), "1 of 2 Inspector replicas did not get it ready"), ((), "no Inspector replica came up")])
async def test_a_replica_that_says_nothing_is_waited_for_but_not_for_ever(
    parts: Parts, store: MemoryStore, serve: FakeServe, running: tuple[str, ...], why: str
) -> None:
    store.said, serve.running = lambda version: OLD, running

    with pytest.raises(NotReadyError, match=why):
        async with standing_by(hasty(parts), "v2"):
            raise AssertionError("nobody may judge with it")
    assert store.on_standby == set()


@pytest.fixture
def candidate(plant_settings: Settings, records: Records) -> str:
    records.add_line(LINE, judged_by=JudgedBy(MODEL_VERSION, make_calibration(), {}), by=ANNA)
    return Registry(plant_settings.models_path).add(shipped("demo")).id


def finished(jobs: Jobs, candidate: str, answer: str = "passed") -> str:
    job, _ = jobs.ask(LINE, Trigger.VERDICTS, ANNA)
    jobs.claim("trainer", timedelta(seconds=30))
    result: dict[str, Any] = {"candidate": candidate, "champion": MODEL_VERSION, "gate": {"answer": answer, "reasons": []}}
    jobs.finish(job.id, "trainer", result)
    return job.id


async def test_over_rest_a_candidate_that_replicas_refuse_changes_nothing(
    client: httpx.AsyncClient, jobs: Jobs, candidate: str, store: MemoryStore, records: Records
) -> None:
    store.said = lambda version: BROKEN

    refused = await client.post(f"/api/v1/jobs/{finished(jobs, candidate)}/promote", json={})

    assert refused.status_code == 409
    assert "what judges now goes on" in refused.json()["detail"]
    assert records.active(LINE).model_version == MODEL_VERSION
    assert LINE not in store.active


async def test_over_rest_without_inspection_nothing_is_promoted_and_the_answer_says_what_to_do(
    client: httpx.AsyncClient, jobs: Jobs, candidate: str, serve: FakeServe
) -> None:
    serve.running = None

    refused = await client.post(f"/api/v1/jobs/{finished(jobs, candidate)}/promote", json={})

    assert refused.status_code == 503
    assert "loupe up" in refused.json()["detail"]


async def test_a_line_that_says_so_promotes_what_the_gate_passed_once_and_what_is_taken_back_stays_back(
    client: httpx.AsyncClient, parts: Parts, jobs: Jobs, candidate: str, judging: Judging, plant_settings: Settings
) -> None:
    finished(jobs, candidate)
    await Automatic(parts).look()
    assert judging.current(LINE)[0].model_version == MODEL_VERSION

    told = await client.patch(f"/api/v1/lines/{LINE}", json={"promote_automatically": True})
    assert told.json()["promote_automatically"] is True
    await Automatic(parts).look()
    now = judging.current(LINE)[0]
    assert (now.model_version, now.by, now.reason) == (candidate, "trainer", REASON)

    await Automatic(parts).look()
    await roll_back(parts, LINE, "too many rejects", ANNA)
    await Automatic(parts).look()
    assert [one.model_version for one in judging.history(LINE, None)] == [MODEL_VERSION, candidate, MODEL_VERSION]
    deeds = Audit(Database(plant_settings.records_url)).deeds(action="line.promote-automatically")
    assert [deed.details for deed in deeds] == [{"from": False, "to": True}]


async def test_what_the_gate_did_not_pass_waits_for_a_person(parts: Parts, jobs: Jobs, candidate: str, judging: Judging) -> None:
    judging.set_promote_automatically(LINE, True, by=ANNA)

    for answer in ("refused", "insufficient evidence"):
        finished(jobs, candidate, answer)
        await Automatic(parts).look()

    assert judging.current(LINE)[0].model_version == MODEL_VERSION


async def test_a_candidate_that_replicas_refuse_is_not_tried_again_but_one_that_found_no_replica_is(
    parts: Parts, jobs: Jobs, candidate: str, judging: Judging, store: MemoryStore, serve: FakeServe
) -> None:
    judging.set_promote_automatically(LINE, True, by=ANNA)
    finished(jobs, candidate)
    automatic, serve.running = Automatic(hasty(parts)), ()

    with pytest.raises(NotReadyError):
        await automatic.look()
    serve.running, store.said = ("one", "two"), lambda version: BROKEN
    await automatic.look()
    store.said = lambda version: {"one": Report(), "two": Report()}
    await automatic.look()

    assert judging.current(LINE)[0].model_version == MODEL_VERSION
    await Automatic(parts).look()
    assert judging.current(LINE)[0].model_version == candidate
