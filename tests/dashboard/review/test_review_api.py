"""The review over REST: two supervisors, their masks, their conflicts."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable

import pytest

from services.contract.inspection import Archived, Inspection
from services.contract.verdict import Answer
from services.dashboard.people import People
from services.records.audit import Actor
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.verdicts import Said
from tests.dashboard.conftest import MemoryStore
from tests.dashboard.makers import inspection
from tests.dashboard.review.conftest import JPEG, MASK, OTHER_JPEG, REVIEW, Person
from tests.review.makers import drawn, hot_map, read

# The queue and one frame


async def test_the_queue_is_paged_and_tells_what_the_machine_said(person: Person, flag: Callable[..., Inspection]) -> None:
    for number, score in enumerate((0.55, 0.69, 0.95)):
        flag(number, score=score)

    first = (await person("anna").get(REVIEW, params={"order": "uncertainty", "limit": 2})).json()
    rest = (await person("anna").get(REVIEW, params={"order": "uncertainty", "limit": 2, "after": first["next"]})).json()

    assert [item["machine"]["score"] for item in (*first["items"], *rest["items"])] == [0.69, 0.55, 0.95]
    assert rest["next"] is None
    assert (first["items"][0]["machine"]["calibration"]["fail"], first["items"][0]["blind"]) == (0.7, False)


async def test_the_next_frame_is_claimed_and_when_there_is_none_the_answer_is_empty(person: Person, frame: str) -> None:
    mine = (await person("anna").post(f"{REVIEW}/next", json={})).json()

    assert (mine["claim"]["by"], mine["claim"]["mine"]) == ("token:anna", True)
    assert (await person("bert").post(f"{REVIEW}/next", json={})).status_code == 204
    assert (await person("anna").post(f"{REVIEW}/next", json={"besides": [mine["frame_id"]]})).status_code == 204


async def test_the_pictures_of_a_frame(person: Person, frame: str) -> None:
    anna = person("anna")

    image, small, anomaly_map = [await anna.get(f"{frame}/{what}") for what in ("image", "image?width=50", "map")]
    seeds = [read((await anna.get(f"{frame}/seed", params={"threshold": threshold})).content) for threshold in (0.5, 0.95)]

    assert image.content == JPEG
    assert read(small.content).shape[:2] == (40, 50)
    assert anomaly_map.content == hot_map()
    assert (await anna.get(f"{frame}/image", headers={"if-none-match": image.headers["etag"]})).status_code == 304
    assert [(one.shape, bool(one.any())) for one in seeds] == [((80, 100), True), ((80, 100), False)]


async def test_a_good_part_beside_it_is_one_that_people_called_good(person: Person, frame: str, flag: Callable[..., Inspection], archive: Archive) -> None:
    other = Archived(reason="flagged", probability=1, frame_path=archive.put("frames", OTHER_JPEG))
    good, of_another_product = flag(2, archived=other).frame_id, flag(3, product="plate", archived=other).frame_id
    assert (await person("anna").get(f"{frame}/reference")).status_code == 404
    for one in (of_another_product, good):
        await person("anna").post(f"{REVIEW}/frames/{one}/verdict", data={"answer": "good"})

    found = await person("bert").get(f"{frame}/reference")

    assert (found.content, found.headers["x-loupe-frame"]) == (OTHER_JPEG, good)


async def test_else_a_good_part_is_one_that_just_passed_and_is_no_blind_check(person: Person, frame: str, store: MemoryStore, archive: Archive) -> None:
    def passed(number: int, reason: str) -> Inspection:
        kept = Archived(reason=reason, probability=1, frame_path=archive.put("frames", OTHER_JPEG))  # type: ignore[arg-type]
        return inspection(number, archived=kept, score=0.01 * number)

    store.inspections["bolts"] = [passed(4, "blind-check"), passed(5, "recorded")]

    found = await person("anna").get(f"{frame}/reference")

    assert found.headers["x-loupe-frame"] == "bolts/cam1/s1/5"


# Answers


async def test_a_drawn_mask_is_sent_kept_and_shown(person: Person, frame: str, people: People) -> None:
    answer = {"answer": "defect", "defect_class": "scratch", "verdict_id": "page-1-verdict-1"}

    first = await person("anna").post(f"{frame}/verdict", data=answer, files={"mask": ("../../etc/passwd", MASK, "text/html")})
    again = await person("anna").post(f"{frame}/verdict", data=answer, files={"mask": ("m.png", MASK, "image/png")})

    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    assert re.fullmatch(r"masks/[0-9a-f]{2}/[0-9a-f]{64}", first.json()["mask_path"])
    kept = await person("bert").get(f"{frame}/mask", params={"verdict_id": "page-1-verdict-1"})
    assert int((read(kept.content) == 255).sum()) == 100
    assert [deed.action for deed in people.audit.deeds(action="verdict.")] == ["verdict.give"]


async def test_confirm_correct_undo_and_the_history_of_it(person: Person, frame: str) -> None:
    anna, bert = person("anna"), person("bert")
    confirmed = (await anna.post(f"{frame}/verdict", data={"answer": "defect", "threshold": "0.5"})).json()

    corrected = (await bert.post(f"{frame}/verdict", data={"answer": "good", "supersedes": confirmed["verdict_id"]})).json()
    restored = (await bert.post(f"{frame}/undo")).json()
    said = (await anna.get(f"{frame}/history")).json()

    assert (confirmed["mask_source"], restored["mask_path"]) == ("map", confirmed["mask_path"])
    assert [(one["verdict"]["answer"], one["current"]) for one in said] == [("defect", False), ("good", False), ("defect", True)]
    assert restored["supersedes"] == corrected["verdict_id"]
    listed = (await anna.get(f"{REVIEW}/verdicts", params={"line": "bolts", "after": said[0]["id"]})).json()
    assert [one["verdict"]["verdict_id"] for one in listed] == [corrected["verdict_id"], restored["verdict_id"]]


async def test_undoing_a_named_answer_twice_takes_back_no_other(person: Person, frame: str) -> None:
    anna = person("anna")
    first = (await anna.post(f"{frame}/verdict", data={"answer": "good"})).json()
    second = (await anna.post(f"{frame}/verdict", data={"answer": "defect", "supersedes": first["verdict_id"]})).json()
    corrected = await anna.post(f"{frame}/undo", params={"verdict_id": first["verdict_id"]})

    undone, again = [await anna.post(f"{frame}/undo", params={"verdict_id": second["verdict_id"]}) for _ in range(2)]

    assert (undone.json(), undone.json()["answer"]) == (again.json(), "good")
    assert corrected.status_code == 409


async def test_two_supervisors_on_one_picture_one_wins_and_the_other_is_told(person: Person, frame: str) -> None:
    answers = await asyncio.gather(*(person(name).post(f"{frame}/verdict", data={"answer": "good"}) for name in ("anna", "bert")))

    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    assert (won.status_code, lost.status_code) == (201, 409)
    assert lost.json()["conflict"] == {"kind": "answered", "by": won.json()["given_by"], "at": won.json()["given_at"]}


async def test_a_claim_keeps_others_off_and_says_whose_it_is(person: Person, frame: str) -> None:
    claim = (await person("anna").post(f"{frame}/claim")).json()

    refused = [await person("bert").post(f"{frame}/{what}", data={"answer": "good"} if what == "verdict" else None) for what in ("claim", "verdict", "skip")]
    shown = (await person("bert").get(frame)).json()

    assert [answer.status_code for answer in refused] == [409] * 3
    assert {json.dumps(answer.json()["conflict"]) for answer in refused} == {json.dumps({"kind": "claimed", "by": "token:anna", "at": claim["at"]})}
    assert (shown["claim"]["by"], shown["claim"]["mine"]) == ("token:anna", False)
    await person("anna").delete(f"{frame}/claim")
    assert (await person("bert").post(f"{frame}/claim")).status_code == 200


async def test_many_at_once(person: Person, flag: Callable[..., Inspection]) -> None:
    frames = [flag(number).frame_id for number in range(3)]
    await person("bert").post(f"{REVIEW}/frames/{frames[0]}/claim")

    done = (await person("anna").post(f"{REVIEW}/bulk", json={"frame_ids": [*frames, "bolts/cam1/s1/99"], "action": "defect", "defect_class": "dent"})).json()

    assert [one["done"] for one in done] == [False, True, True, False]
    assert done[0]["conflict"]["by"] == "token:bert"
    [count] = (await person("anna").get(f"{REVIEW}/counts")).json()["lines"]
    assert (count["open"], count["claimed"], count["answered"]) == (1, 1, 2)
    assert (await person("anna").get(f"{REVIEW}/counts")).json()["undelivered"] == 2


async def test_defect_classes_are_said_in_order_and_retired(person: Person, frame: str) -> None:
    path = f"{REVIEW}/lines/bolts/defect-classes"
    wanted = [{"name": "rust", "label": "Rust"}, {"name": "dent", "label": "Dent, deep"}]

    assert (await person("anna").put(path, json=wanted)).json() == wanted
    assert (await person("bert").get(path)).json() == wanted
    refused = await person("anna").post(f"{frame}/verdict", data={"answer": "defect", "defect_class": "scratch"})
    assert (refused.status_code, "expected one of ['rust', 'dent']" in refused.json()["detail"]) == (422, True)
    assert (await person("anna").put(f"{REVIEW}/lines/nuts/defect-classes", json=wanted)).status_code == 404


async def test_agreement_is_told_for_all_lines_and_each(person: Person, frame: str) -> None:
    await person("anna").post(f"{frame}/verdict", data={"answer": "good"})

    found = (await person("operator").get(f"{REVIEW}/agreement")).json()

    assert [(one["line"], one["pairs"]) for one in found["reviewers"]] == [(None, 0), ("bolts", 0)]
    assert [(one["flagged"], one["false_rejects"]) for one in found["machine"]] == [(1, 1), (1, 1)]


async def test_an_operator_looks_and_does_not_touch(person: Person, frame: str) -> None:
    operator = person("operator")

    assert (await operator.get(REVIEW)).status_code == (await operator.get(f"{frame}/map")).status_code == 200
    for answer in (
        await operator.post(f"{frame}/claim"),
        await operator.post(f"{frame}/verdict", data={"answer": "good"}),
        await operator.post(f"{REVIEW}/next"),
    ):
        assert answer.status_code == 403


# What is sent wrong


@pytest.mark.parametrize(
    ("fields", "mask", "status", "said"),
    [
        ({"answer": "perhaps"}, None, 422, "answer"),
        ({}, None, 422, "answer: Field required"),
        ({"answer": "withdrawn"}, None, 422, "answer"),
        ({"answer": "good", "colour": "red"}, None, 422, "colour"),
        ({"answer": "good", "verdict_id": "a/../b"}, None, 422, "verdict_id"),
        ({"answer": "defect", "threshold": "2"}, None, 422, "threshold"),
        ({"answer": "good"}, MASK, 422, "only with a defect"),
        ({"answer": "defect"}, b"GIF89a not a mask", 422, "expected a PNG"),
        ({"answer": "defect"}, MASK[:50], 422, "cannot be decoded"),
        ({"answer": "defect"}, drawn(30, 30), 422, "own 100 x 80 pixels"),
        ({"answer": "defect"}, b"\x89PNG\r\n\x1a\n" + b"x" * 20_000, 413, "at most"),
        ({"answer": "defect"}, b"x" * 200_000, 413, "at most"),
        ({"answer": "good", "defect_class": "x" * 5000}, None, 400, "maximum size"),
    ],
)
async def test_a_mistake_is_refused_with_a_reason_and_nothing_is_kept(
    person: Person, frame: str, archive: Archive, fields: dict[str, str], mask: bytes | None, status: int, said: str
) -> None:
    answer = await person("anna").post(f"{frame}/verdict", data=fields, files={"mask": mask} if mask else None)

    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert (await person("anna").get(f"{frame}/history")).json() == []
    assert not any(one.path.startswith("masks/") for one in archive._stored())


async def test_a_body_without_a_length_is_cut_off_where_it_grows_too_long(person: Person, frame: str) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\ncontent-disposition: form-data; name="mask"; filename="m.png"\r\n\r\n'
        while sent < 100 * 2**20:
            sent += 65_536
            yield b"x" * 65_536

    answer = await person("anna").post(f"{frame}/verdict", content=endless(), headers={"content-type": "multipart/form-data; boundary=b"})

    assert answer.status_code == 413
    assert sent < 2**20


async def test_a_mask_that_is_no_file_and_a_body_that_is_no_form_are_refused(person: Person, frame: str) -> None:
    text = await person("anna").post(f"{frame}/verdict", data={"answer": "defect", "mask": "text"})
    broken = await person("anna").post(f"{frame}/verdict", content=b"--b", headers={"content-type": "multipart/form-data"})

    assert (text.status_code, broken.status_code) == (422, 400)


@pytest.mark.parametrize(
    "frame_id", ["..%2F..%2Fetc%2Fpasswd", "bolts/cam1/s1/x", "bolts/../../1", "%2e%2e/%2e%2e/%2e%2e/1", "bolts/cam1/s1/1%00", "bolts/cam1/s1/99"]
)
async def test_what_is_no_flagged_frame_is_404_on_every_route(person: Person, frame: str, frame_id: str) -> None:
    anna = person("anna")
    for what in ("", "/image", "/map", "/seed?threshold=0.5", "/mask", "/reference", "/history"):
        assert (await anna.get(f"{REVIEW}/frames/{frame_id}{what}")).status_code == 404
    for what in ("claim", "skip", "undo", "verdict"):
        assert (await anna.post(f"{REVIEW}/frames/{frame_id}/{what}", data={"answer": "good"})).status_code == 404


@pytest.mark.parametrize("query", ["order=best", "after=nonsense", "limit=0", "limit=10000", "reason=blind-check", "since=yesterday", "colour=red"])
async def test_a_bad_question_is_refused(person: Person, query: str, records: Records) -> None:
    answer = await person("anna").get(f"{REVIEW}?{query}")

    assert (answer.status_code, query.partition("=")[0] in answer.json()["detail"]) == (422, True)


async def test_the_api_is_described(person: Person) -> None:
    described = (await person("anna").get("/api/v1/openapi.json")).json()["paths"]

    ours = {path: calls for path, calls in described.items() if path.startswith(REVIEW)}
    assert len(ours) > 15
    assert all(call.get("summary") for calls in ours.values() for call in calls.values())
    body = ours[f"{REVIEW}/frames/{{frame_id}}/verdict"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"answer", "mask", "blind", "threshold"} <= set(body["properties"])


# The golden set


async def test_supervisors_make_answered_frames_golden_and_operators_look(person: Person, flag: Callable[..., Inspection], frame: str) -> None:
    why = {"reason": "the faintest that we reject"}
    unanswered = await person("anna").put(f"{frame}/golden", json=why)
    await person("anna").post(f"{frame}/verdict", data={"answer": "defect"})

    added = (await person("anna").put(f"{frame}/golden", json=why)).json()

    assert (unanswered.status_code, "nobody has answered it" in unanswered.json()["detail"]) == (422, True)
    assert (added["by"], added["reason"]) == ("token:anna", why["reason"])
    assert (await person("operator").get(f"{frame}/golden")).json() == {"golden": added}
    assert (await person("operator").get(f"{REVIEW}/lines/bolts/golden")).json() == [added]
    assert (await person("operator").get(f"{REVIEW}/lines/wood/golden")).status_code == 404
    for method, said in (("PUT", {"json": why}), ("DELETE", {"params": why})):
        assert (await person("operator").request(method, f"{frame}/golden", **said)).status_code == 403
    assert (await person("anna").put(f"{frame}/golden", json={"reason": "x"})).status_code == 422
    assert (await person("anna").delete(f"{frame}/golden", params=why)).status_code == 204
    assert (await person("anna").get(f"{frame}/golden")).json() == {"golden": None}
    assert (await person("anna").put(f"{REVIEW}/frames/bolts/cam1/s1/999/golden", json=why)).status_code == 404


async def test_a_golden_frame_is_not_told_to_whoever_has_yet_to_answer_it_blind(person: Person, blind: Inspection, desk: Desk) -> None:
    carl = Actor("carl", "supervisor")
    desk.verdicts.give(blind.frame_id, Said(answer=Answer.GOOD, blind=True), carl)
    desk.golden.add(blind.frame_id, "a shadow, no scratch", carl)
    desk.verdicts.undo(blind.frame_id, carl)

    assert (await person("anna").get(f"{REVIEW}/lines/bolts/golden")).json() == []
    assert (await person("anna").get(f"{REVIEW}/frames/{blind.frame_id}/golden")).status_code == 403
