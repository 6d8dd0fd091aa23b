"""No route and no open page gives away what the machine said of a blind check before it is answered."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx

from services.contract.inspection import Archived, Decision, Inspection
from services.contract.settings import ReviewSettings
from services.contract.verdict import Answer
from services.dashboard.application import create_app
from services.dashboard.hub import Look
from services.dashboard.packets import unpack
from services.dashboard.parts import Parts
from services.dashboard.people import People
from services.records.audit import Actor
from services.records.database import Database
from services.results.archive import Archive
from services.results.pictures import Preview
from services.review.desk import Desk
from services.review.verdicts import Said
from tests.dashboard.conftest import MemoryStore
from tests.dashboard.makers import inspection
from tests.dashboard.review.conftest import BLIND_MAP, MASK, OTHER_JPEG, REVIEW, TOLD, Person
from tests.dashboard_process import _routes


def gives_away(content: bytes, frame_id: str) -> bool:
    """Whether an answer tells what the machine said of the frame."""
    told = [str(value).encode() for value in TOLD.values()]
    if any(value in content for value in told) or BLIND_MAP in content:
        return True
    with suppress(ValueError):
        return any(_judged(one) for one in _about(json.loads(content), frame_id))
    return False


def _about(value: Any, frame_id: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("frame_id") == frame_id:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _about(one, frame_id)


def _judged(said: dict[str, Any]) -> bool:
    return any(said.get(name) for name in ("decision", "score", "regions", "machine", "archived", "truth", "verdict", "second"))


def asked(parts: Parts, frame_id: str) -> list[tuple[str, str]]:
    """Every route of the API, about that frame where it is about one."""
    paths = [(method, path.replace("/lines/x/", "/lines/bolts/").replace("a/b", frame_id)) for method, path in _routes(create_app(parts).routes)]
    queries = {"/seed": "?threshold=0.1", "/mask": "?verdict_id=x", "/review": "?order=severity&limit=100"}
    return [(method, path + queries.get(path[path.rindex("/") :], "")) for method, path in paths if path.startswith("/api/v1/")]


BODIES: dict[str, dict[str, Any]] = {
    "next": {"json": {"reason": "blind"}},
    "bulk": {"json": {"frame_ids": ["bolts/cam1/s1/7"], "action": "claim"}},
    "verdict": {"data": {"answer": "defect", "threshold": "0.1", "blind": "true"}},
}


async def test_no_route_tells_what_the_machine_said_of_a_blind_check_before_it_is_answered(
    person: Person, parts: Parts, blind: Inspection, store: MemoryStore, client: httpx.AsyncClient
) -> None:
    store.inspections["bolts"] = [blind]
    store.masks[blind.frame_id] = BLIND_MAP
    routes = asked(parts, blind.frame_id)
    answers: dict[tuple[str, str], httpx.Response] = {}
    about = set()

    for caller in (person("anna"), client):
        for method, path in routes:
            answer = answers[method, path] = await caller.request(method, path, **BODIES.get(path.rpartition("/")[2], {}))
            assert not gives_away(answer.content, blind.frame_id), (method, path, answer.text[:500])
            about |= {path.partition("?")[0]} if answer.status_code == 200 and blind.frame_id in answer.text else set()

    assert about >= {f"/api/v1/{name}" for name in ("flagged", "review", f"inspections/{blind.frame_id}", "review/next", "review/bulk")}
    assert answers["GET", f"{REVIEW}/frames/{blind.frame_id}/image"].content == OTHER_JPEG
    assert answers["GET", f"/api/v1/frames/{blind.frame_id}/map"].status_code == 403
    assert answers["GET", f"{REVIEW}/frames/{blind.frame_id}/history"].status_code == 403


async def test_no_route_tells_a_second_reviewer_what_the_machine_or_the_first_one_said(
    person: Person, parts: Parts, flag: Callable[..., Inspection], archive: Archive, people: People
) -> None:
    kept = Archived(reason="flagged", probability=1, frame_path=archive.put("frames", OTHER_JPEG), map_path=archive.put("maps", BLIND_MAP))
    one = flag(7, decision=Decision.FAIL, archived=kept, **TOLD)
    asking_twice = parts.settings.model_copy(update={"review": ReviewSettings(second_share=1)})
    database = Database(parts.settings.records_url)
    Desk.of(asking_twice, database, archive).verdicts.give(one.frame_id, Said(answer=Answer.DEFECT), Actor("token:anna", "supervisor"))
    database.close()
    routes = asked(parts, one.frame_id)

    for method, path in routes:
        answer = await person("bert").request(method, path, **BODIES.get(path.rpartition("/")[2], {}))
        assert not gives_away(answer.content, one.frame_id), (method, path, answer.text[:500])

    item = f"{REVIEW}/frames/{one.frame_id}"
    assert (await person("bert").get(item)).json()["open"]
    assert (await person("anna").get(item)).json()["verdict"]["answer"] == "defect"


async def test_the_check_itself_would_notice(person: Person, parts: Parts, blind: Inspection, store: MemoryStore, desk: Desk) -> None:
    """Once it is answered, the same routes tell it."""
    store.inspections["bolts"] = [blind]
    desk.verdicts.give(blind.frame_id, Said(answer=Answer.GOOD, blind=True), Actor("carl", "supervisor"))

    telling = {
        path for method, path in asked(parts, blind.frame_id) if method == "GET" and gives_away((await person("anna").get(path)).content, blind.frame_id)
    }

    names = (
        "flagged",
        "lines/bolts/inspections",
        f"inspections/{blind.frame_id}",
        f"parts/{blind.frame_id}",
        f"frames/{blind.frame_id}/map",
        "review/verdicts",
    )
    assert telling >= {f"/api/v1/{name}" for name in names}
    assert f"{REVIEW}/frames/{blind.frame_id}" in telling


async def test_a_blind_check_that_the_records_do_not_have_yet_is_one_too(person: Person, blind: Inspection, store: MemoryStore) -> None:
    fresh = blind.model_copy(update={"frame_id": "bolts/cam1/s1/8"})
    store.inspections["bolts"] = [fresh]

    for path in ("lines/bolts/inspections", f"inspections/{fresh.frame_id}"):
        answer = await person("anna").get(f"/api/v1/{path}")
        assert fresh.frame_id in answer.text
        assert not gives_away(answer.content, fresh.frame_id)


async def test_open_pages_get_neither_picture_nor_part_of_a_blind_check(parts: Parts, blind: Inspection, store: MemoryStore) -> None:
    store.inspections["bolts"] = [blind, inspection(9)]
    store.shown["bolts"] = Preview(blind, b"jpeg", BLIND_MAP)
    running, viewer = asyncio.create_task(parts.hub.run()), parts.hub.join()
    kinds: dict[str, bytes] = {}
    try:
        parts.hub.turn(viewer, Look(line="bolts", pictures=frozenset({"bolts"})))
        async with asyncio.timeout(10):
            while not (kinds.keys() >= {"wall", "parts"} and unpack(kinds["parts"])[0]["parts"] and store.watched):
                packet = await viewer.next()
                kinds[unpack(packet)[0]["kind"]] = packet
                assert not gives_away(packet, blind.frame_id)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    assert [part["frame_id"] for part in unpack(kinds["parts"])[0]["parts"]] == ["bolts/cam1/s1/9"]
    assert "picture" not in kinds


async def test_a_blind_check_is_answered_blind_and_then_told(person: Person, blind: Inspection) -> None:
    path = f"{REVIEW}/frames/{blind.frame_id}"

    seen = await person("anna").post(f"{path}/verdict", data={"answer": "good"})
    given = (await person("anna").post(f"{path}/verdict", data={"answer": "defect", "blind": "true"}, files={"mask": MASK})).json()
    after = (await person("anna").get(path)).json()

    assert seen.status_code == 403
    assert (given["blind"], given["reason"], given["score"]) == (True, "blind-check", TOLD["score"])
    assert (after["blind"], after["machine"]["score"]) == (False, TOLD["score"])
