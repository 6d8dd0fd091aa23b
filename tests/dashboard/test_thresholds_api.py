"""Thresholds over REST: seen by everybody, moved by supervisors, in force at once; and what answered parts can promise."""

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from services.contract.inspection import Archived, Calibration, Decision, Inspection
from services.contract.settings import ReviewSettings, Settings
from services.contract.verdict import Answer
from services.dashboard.people import People
from services.records.accounts import Role
from services.records.audit import Actor
from services.records.judging import Judging
from services.records.store import JudgedBy, Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.verdicts import Said
from tests.dashboard.conftest import TEST, MemoryStore
from tests.dashboard.makers import inspection

LINE = "/api/v1/lines/bolts"
FOUND = Calibration(calibration_id="c1", review=0.4, fail=0.7, map_threshold=0.45)
EVIDENCE = {"rates": {"review": 0.01, "fail": 0.001}, "promised": {"review": 0.009, "fail": 0.0074}, "groups": 400, "frames": 400}
Answered = Callable[..., Inspection]


@pytest.fixture
def plant_settings(plant_settings: Settings) -> Settings:
    """Nobody is asked a second time, which would hide parts at random."""
    return plant_settings.model_copy(update={"review": ReviewSettings(second_share=0)})


@pytest.fixture(autouse=True)
def line(records: Records) -> None:
    records.add_line("bolts", judged_by=JudgedBy("m1", FOUND, EVIDENCE))


@pytest.fixture
def answered(records: Records, archive: Archive, desk: Desk) -> Answered:
    """A part of the line that somebody has answered; drawn from passed ones where a probability is given."""

    def make(number: int, score: float, answer: Answer = Answer.GOOD, *, probability: float | None = None, **fields: Any) -> Inspection:
        reason, decision = ("flagged", Decision.REVIEW) if probability is None else ("blind-check", Decision.PASS)
        kept = Archived(reason=reason, probability=probability or 1, frame_path=archive.put("frames", b"a picture"))
        judged = {"score": score, "decision": decision, "model_version": "m1", "calibration_id": "c1", "archived": kept}
        one = inspection(number, **{**judged, **fields})
        records.flagged.add([one])
        desk.verdicts.give(one.frame_id, Said(answer=answer, blind=probability is not None), Actor("anna", "supervisor"))
        return one

    return make


@pytest.fixture
def seen(judging: Judging) -> int:
    return judging.current("bolts")[0].id


def as_role(people: People, role: Role) -> dict[str, str]:
    return {"authorization": f"Bearer {people.logins.add_token(f'as-{role.value}', role, by=TEST, replace=True)}"}


def thresholds(seen: int, review: float = 0.5, fail: float = 0.8, **fields: Any) -> dict[str, Any]:
    return {"review": review, "fail": fail, "seen": seen, "reason": "too many false rejects", **fields}


async def test_everybody_sees_what_judges_and_what_it_cannot_promise(client: httpx.AsyncClient, people: People) -> None:
    found = (await client.get(f"{LINE}/calibration", headers=as_role(people, Role.OPERATOR))).json()

    assert found["current"]["review"] == {"asked": 0.01, "promised": 0.009, "kept": True, "groups_needed": 299}
    assert found["current"]["fail"] == {"asked": 0.001, "promised": 0.0074, "kept": False, "groups_needed": 2995}
    assert (found["current"]["groups"], found["current"]["by_hand"], len(found["history"])) == (400, False, 1)


async def test_thresholds_of_a_supervisor_hold_at_once_and_stay_in_the_history(
    client: httpx.AsyncClient, people: People, store: MemoryStore, seen: int
) -> None:
    answer = await client.put(f"{LINE}/calibration", json=thresholds(seen), headers=as_role(people, Role.SUPERVISOR))

    assert answer.status_code == 200
    active = store.active["bolts"].calibration
    assert active is not None
    assert (active.review, active.fail, active.map_threshold) == (0.5, 0.8, 0.45)
    found = (await client.get(f"{LINE}/calibration")).json()
    assert [(one["activated_by"], one["reason"]) for one in found["history"]] == [("token:as-supervisor", "too many false rejects"), ("", None)]
    assert found["current"]["by_hand"]
    assert people.audit.deeds(action="calibration.set")[0].details["reason"] == "too many false rejects"


async def test_an_operator_moves_nothing(client: httpx.AsyncClient, people: People, store: MemoryStore, seen: int) -> None:
    operator = as_role(people, Role.OPERATOR)

    refused = [
        (await client.put(f"{LINE}/calibration", json=thresholds(seen), headers=operator)).status_code,
        (await client.post(f"{LINE}/calibration/back", json={"calibration_id": "c1", "seen": seen, "reason": "because"}, headers=operator)).status_code,
        (await client.patch(LINE, json={"product": "ring"}, headers=operator)).status_code,
    ]

    assert refused == [403, 403, 403]
    assert not store.active


async def test_the_second_of_two_supervisors_is_told_who_was_faster(client: httpx.AsyncClient, people: People, store: MemoryStore, seen: int) -> None:
    await client.put(f"{LINE}/calibration", json=thresholds(seen), headers=as_role(people, Role.SUPERVISOR))

    late = [
        await client.put(f"{LINE}/calibration", json=thresholds(seen, review=0.1)),
        await client.post(f"{LINE}/calibration/back", json={"calibration_id": "c1", "seen": seen, "reason": "as before"}),
    ]

    assert [answer.status_code for answer in late] == [409, 409]
    assert all("changed meanwhile by token:as-supervisor" in answer.json()["detail"] for answer in late)
    assert store.active["bolts"].calibration is not None
    assert store.active["bolts"].calibration.review == 0.5


async def test_the_way_back_is_one_call(client: httpx.AsyncClient, store: MemoryStore, seen: int) -> None:
    made = (await client.put(f"{LINE}/calibration", json=thresholds(seen))).json()

    answer = await client.post(f"{LINE}/calibration/back", json={"calibration_id": "c1", "seen": made["id"], "reason": "missed a dent"})

    assert answer.status_code == 200
    assert store.active["bolts"].calibration == FOUND
    assert len((await client.get(f"{LINE}/calibration")).json()["history"]) == 3


@pytest.mark.parametrize("wrong", [{"review": 0.9, "fail": 0.8}, {"review": 0, "fail": 0.8}, {"fail": 1.0}, {"reason": ""}, {"review": "nan"}])
async def test_thresholds_that_make_no_sense_are_refused(client: httpx.AsyncClient, store: MemoryStore, seen: int, wrong: dict[str, Any]) -> None:
    answer = await client.put(f"{LINE}/calibration", json=thresholds(seen, **wrong))

    assert answer.status_code == 422
    assert not store.active


async def test_a_higher_threshold_keeps_its_promise_and_a_lower_one_has_only_what_was_answered(client: httpx.AsyncClient, seen: int) -> None:
    made = (await client.put(f"{LINE}/calibration", json=thresholds(seen, review=0.3, fail=0.8))).json()

    assert made["fail"]["promised"] == 0.0074
    assert made["review"]["promised"] == 1.0
    assert not made["review"]["kept"]


async def test_scores_come_by_decision_and_by_verdict(client: httpx.AsyncClient, store: MemoryStore, answered: Answered) -> None:
    judged = partial(inspection, model_version="m1")
    store.inspections["bolts"] = [
        judged(1, score=0.2),
        judged(2, score=0.5, decision=Decision.REVIEW),
        judged(3, score=0.1),
        judged(4, score=0.3, model_version="m0"),
    ]
    answered(11, 0.45)
    answered(12, 0.9, Answer.DEFECT)
    answered(13, 0.05, probability=0.02)

    found = (await client.get(f"{LINE}/scores")).json()

    assert found["recent"] == {"pass": [0.1, 0.2], "review": [0.5], "fail": []}
    assert found["good"] == [{"score": 0.45, "weight": 1}, {"score": 0.05, "weight": 50}]
    assert found["defects"] == [0.9]


async def test_a_blind_check_tells_nobody_its_score_before_it_is_answered(client: httpx.AsyncClient, store: MemoryStore, records: Records) -> None:
    kept = Archived(reason="blind-check", probability=0.02, frame_path="frames/aa/aa")
    drawn = inspection(2, score=0.123456, model_version="m1", archived=kept)
    store.inspections["bolts"] = [inspection(1, score=0.2, model_version="m1"), drawn]

    unwritten = await client.get(f"{LINE}/scores")
    records.flagged.add([drawn])
    written = await client.get(f"{LINE}/scores")

    for answer in (unwritten, written):
        assert "0.123456" not in answer.text
        assert (answer.json()["recent"]["pass"], answer.json()["left_out"]) == ([0.2], 1)


async def test_a_suggestion_says_what_its_parts_can_promise(client: httpx.AsyncClient, answered: Answered) -> None:
    for number in range(40):
        answered(number, 0.01 + number / 1000, probability=0.02)
    answered(99, 0.9, Answer.DEFECT)

    found = (await client.get(f"{LINE}/calibration/suggestion", params={"review_rate": 0.1, "fail_rate": 0.01})).json()

    assert (found["groups"], found["frames"]) == (40, 40)
    assert found["review"]["kept"]
    assert found["review"]["promised"] <= 0.1
    assert (found["fail"]["kept"], found["fail"]["groups_needed"]) == (False, 299)
    assert found["review"]["value"] < found["fail"]["value"]


async def test_without_answered_parts_nothing_is_suggested(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{LINE}/calibration/suggestion")

    assert answer.status_code == 422
    assert "nobody has called a part good" in answer.json()["detail"]


async def test_a_changeover_and_the_share_of_blind_checks_hold_at_once(client: httpx.AsyncClient, people: People, store: MemoryStore) -> None:
    supervisor = as_role(people, Role.SUPERVISOR)

    await client.patch(LINE, json={"product": "ring"}, headers=supervisor)
    changed = (await client.patch(LINE, json={"blind_check_rate": 0.05}, headers=supervisor)).json()

    assert (changed["product"], changed["blind_check_rate"]) == ("ring", 0.05)
    assert (store.active["bolts"].product, store.active["bolts"].blind_check_rate, store.active["bolts"].judging) == ("ring", 0.05, True)
    assert [deed.action for deed in people.audit.deeds(action="line.")] == ["line.blind-check-rate", "line.product"]
    assert (await client.patch("/api/v1/lines/nuts", json={"product": "ring"})).status_code == 404
    assert (await client.patch(LINE, json={"blind_check_rate": 1.5})).status_code == 422


async def test_each_product_has_thresholds_of_its_own(client: httpx.AsyncClient, judging: Judging, store: MemoryStore) -> None:
    for product in ("plate", "ring"):
        judging.judge_product("bolts", product, "m1", FOUND.model_copy(update={"calibration_id": product}), {}, by=TEST, reason="new")
    await client.patch(LINE, json={"product": "plate"})

    shown = (await client.get(f"{LINE}/calibration")).json()
    await client.put(f"{LINE}/calibration", json=thresholds(shown["current"]["id"]))

    assert (shown["product"], shown["products"]) == ("plate", [None, "plate", "ring"])
    assert {name: one.calibration.review for name, one in store.active["bolts"].products.items()} == {"plate": 0.5, "ring": 0.4}
    await client.patch(LINE, json={"product": "washer"})
    unknown = (await client.get(f"{LINE}/calibration")).json()
    assert (unknown["product"], unknown["current"]) == ("washer", None)
    assert (await client.get(f"{LINE}/scores")).status_code == 404
    assert not store.active["bolts"].judging


async def test_a_product_gets_a_model_of_its_own_from_its_card(client: httpx.AsyncClient, people: People, store: MemoryStore) -> None:
    wanted = {"product": "ceramic-tile", "model": "demo", "reason": "a second product"}

    answer = await client.post(f"{LINE}/products", json=wanted, headers=as_role(people, Role.SUPERVISOR))
    refused = await client.post(f"{LINE}/products", json={**wanted, "product": "nobody-made-one"}, headers=as_role(people, Role.SUPERVISOR))

    assert answer.status_code == 201, answer.text
    assert set(store.active["bolts"].products) == {"ceramic-tile"}
    assert people.audit.deeds(action="product.judge")[0].details["product"] == "ceramic-tile"
    assert refused.status_code == 422
    assert "loupe calibrate" in refused.json()["detail"]
