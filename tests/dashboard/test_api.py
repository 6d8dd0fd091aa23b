"""REST over a live view in memory, and records and an archive on disk."""

import cv2
import httpx
import numpy as np
import pytest

from services.contract.inspection import Archived, Decision, Inspection, Outcome
from services.dashboard.parts import Parts
from services.records.store import Records
from services.results.archive import Archive
from tests.dashboard.conftest import MemoryStore
from tests.dashboard.makers import inspection

JPEG = cv2.imencode(".jpg", np.full((80, 100, 3), 120, np.uint8))[1].tobytes()
PNG = cv2.imencode(".png", np.full((16, 16), 9, np.uint8))[1].tobytes()


@pytest.fixture
def flagged(records: Records, archive: Archive) -> Inspection:
    records.add_line("bolts", name="Bolts")
    kept = Archived(reason="flagged", probability=1, frame_path=archive.put("frames", JPEG), map_path=archive.put("maps", PNG))
    one = inspection(3, decision=Decision.FAIL, archived=kept)
    records.flagged.add([one])
    return one


async def test_a_line_is_added_listed_paused_and_resumed(client: httpx.AsyncClient, records: Records, store: MemoryStore) -> None:
    body = {"id": "bolts", "name": "Bolts", "push_token": "a-long-enough-token", "cameras": [{"id": "cam1", "source": "push:"}]}

    added = await client.post("/api/v1/lines", json=body)
    paused = await client.post("/api/v1/lines/bolts/pause")

    assert (added.status_code, added.json()["name"]) == (201, "Bolts")
    assert [line["id"] for line in (await client.get("/api/v1/lines")).json()] == ["bolts"]
    assert [camera.source for camera in records.cameras("bolts")] == ["push:"]
    assert records.line("bolts").accepts("a-long-enough-token")
    assert paused.json()["state"] == "paused"
    assert records.line("bolts").paused
    assert store.active["bolts"].paused

    await client.post("/api/v1/lines/bolts/resume")
    assert not records.line("bolts").paused
    assert not store.active["bolts"].paused


async def test_pausing_works_while_the_live_view_is_away(client: httpx.AsyncClient, records: Records, store: MemoryStore) -> None:
    records.add_line("bolts")
    store.away = True

    answer = await client.post("/api/v1/lines/bolts/pause")

    assert answer.status_code == 200
    assert records.line("bolts").paused


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"id": "Bolts!"}, 422, "expected 1-40 characters"),
        ({"id": "nuts"}, 409, "exists already"),
        ({"id": "x", "colour": "red"}, 422, "colour"),
        ({"id": "x", "push_token": "short"}, 422, "push_token"),
        ({"id": "x", "cameras": [{"id": "Cam 1", "source": "push:"}]}, 422, "camera: expected"),
        ({"id": "x", "cameras": [{"id": "c1", "source": "ftp:there"}]}, 422, "source"),
        ({"id": "x", "cameras": [{"id": "c1", "source": "push:"}] * 2}, 422, "expected different ids"),
        ({"id": "x", "model": "no-such-model"}, 422, "no-such-model"),
    ],
)
async def test_a_bad_line_is_refused_with_a_reason(client: httpx.AsyncClient, records: Records, body: dict[str, object], status: int, said: str) -> None:
    records.add_line("nuts")

    answer = await client.post("/api/v1/lines", json=body)

    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert [line.id for line in records.lines()] == ["nuts"]


async def test_latest_inspections_are_newest_first(client: httpx.AsyncClient, records: Records, store: MemoryStore) -> None:
    records.add_line("bolts")
    store.inspections["bolts"] = [inspection(number) for number in range(10)]

    found = (await client.get("/api/v1/lines/bolts/inspections", params={"limit": 2})).json()

    assert [one["frame_id"] for one in found] == ["bolts/cam1/s1/9", "bolts/cam1/s1/8"]
    assert (await client.get("/api/v1/lines/nuts/inspections")).status_code == 404


async def test_an_inspection_is_found_in_the_live_view_and_in_the_records(client: httpx.AsyncClient, store: MemoryStore, flagged: Inspection) -> None:
    store.inspections["bolts"] = [inspection(8, score=0.25)]

    live = await client.get("/api/v1/inspections/bolts/cam1/s1/8")
    kept = await client.get(f"/api/v1/parts/{flagged.frame_id}")

    assert live.json()["score"] == 0.25
    assert (kept.json()["decision"], kept.json()["latency_ms"]) == ("fail", 200)
    assert [one["frame_id"] for one in (await client.get("/api/v1/flagged")).json()] == [flagged.frame_id]


@pytest.mark.parametrize("frame_id", ["bolts/cam1/s1/99", "bolts", "bolts/cam1/s1/x", "../../etc/passwd"])
async def test_an_unknown_frame_is_404_with_a_reason(client: httpx.AsyncClient, frame_id: str) -> None:
    answer = await client.get(f"/api/v1/inspections/{frame_id}")

    assert answer.status_code == 404
    assert answer.json()["detail"]


async def test_a_picture_is_the_archives_bytes_and_is_sent_once(client: httpx.AsyncClient, flagged: Inspection) -> None:
    first = await client.get(f"/api/v1/frames/{flagged.frame_id}/image")
    again = await client.get(f"/api/v1/frames/{flagged.frame_id}/image", headers={"if-none-match": first.headers["etag"]})

    assert (first.content, first.headers["content-type"]) == (JPEG, "image/jpeg")
    assert (again.status_code, again.content) == (304, b"")


async def test_a_thumbnail_is_smaller(client: httpx.AsyncClient, flagged: Inspection) -> None:
    answer = await client.get(f"/api/v1/frames/{flagged.frame_id}/image", params={"width": 50})

    pixels = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (40, 50, 3)


async def test_the_anomaly_map_comes_from_the_archive_or_the_live_view(client: httpx.AsyncClient, store: MemoryStore, flagged: Inspection) -> None:
    store.inspections["bolts"] = [inspection(8), inspection(9)]
    store.masks["bolts/cam1/s1/8"] = PNG

    assert (await client.get(f"/api/v1/frames/{flagged.frame_id}/map")).content == PNG
    assert (await client.get("/api/v1/frames/bolts/cam1/s1/8/map")).headers["content-type"] == "image/png"
    assert (await client.get("/api/v1/frames/bolts/cam1/s1/9/map")).status_code == 404


async def test_a_picture_that_nobody_keeps_is_404(client: httpx.AsyncClient, store: MemoryStore) -> None:
    store.inspections["bolts"] = [inspection(8)]

    answer = await client.get("/api/v1/frames/bolts/cam1/s1/8/image")

    assert answer.status_code == 404
    assert "bolts/cam1/s1/8" in answer.json()["detail"]


async def test_bytes_that_are_no_picture_are_never_shown_as_one(client: httpx.AsyncClient, records: Records, archive: Archive) -> None:
    kept = Archived(reason="failed", probability=1, frame_path=archive.put("frames", b"<script>alert(1)</script>"))
    records.flagged.add([inspection(4, outcome=Outcome.FAILED, decision=None, score=None, error="not a picture", archived=kept)])

    whole = await client.get("/api/v1/frames/bolts/cam1/s1/4/image")
    thumbnail = await client.get("/api/v1/frames/bolts/cam1/s1/4/image", params={"width": 50})

    assert (whole.headers["content-type"], whole.headers["content-disposition"]) == ("application/octet-stream", "attachment")
    assert thumbnail.status_code == 404


async def test_replica_limits_are_read_checked_and_set(client: httpx.AsyncClient, parts: Parts) -> None:
    ours = parts.settings.inspector

    assert (await client.get("/api/v1/replicas")).json() == {"min": ours.min_replicas, "max": ours.max_replicas}
    assert (await client.post("/api/v1/replicas", json={"min": 0, "max": 3})).json() == {"min": 0, "max": 3}
    assert (await client.get("/api/v1/replicas")).json() == {"min": 0, "max": 3}
    refused = await client.post("/api/v1/replicas", json={"min": 4, "max": 3})
    assert (refused.status_code, refused.json()["detail"]) == (422, "min: expected at most max (3), got 4")


async def test_unknown_paths_of_the_api_are_json(client: httpx.AsyncClient) -> None:
    for method, path in (("GET", "/api/v1/nothing"), ("POST", "/api/v2/lines"), ("GET", "/api/")):
        answer = await client.request(method, path)

        assert answer.status_code == 404
        assert answer.json()["detail"]


async def test_health_names_what_is_missing(client: httpx.AsyncClient, records: Records, store: MemoryStore) -> None:
    assert (await client.get("/readyz")).json()["status"] == "ok"

    store.away = True

    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["missing"]) == (503, ["redis"])
    assert (await client.get("/healthz")).status_code == 200


async def test_a_live_view_that_is_away_is_503(client: httpx.AsyncClient, records: Records, store: MemoryStore) -> None:
    records.add_line("bolts")
    store.away = True

    answer = await client.get("/api/v1/lines/bolts/inspections")

    assert (answer.status_code, answer.json()) == (503, {"detail": "connection refused"})


async def test_the_description_lists_every_call_and_its_page_needs_no_other_host(client: httpx.AsyncClient) -> None:
    api = (await client.get("/api/v1/openapi.json")).json()
    page = await client.get("/api/v1/docs")
    script = await client.get("/assets/docs.js")

    assert {"/api/v1/status", "/api/v1/lines", "/api/v1/frames/{frame_id}/image", "/healthz"} <= set(api["paths"])
    assert page.status_code == script.status_code == 200
    assert "//" not in page.text.replace("<!doctype", "").split("<body>")[0].replace("http-equiv", "")


async def test_a_foreign_page_may_not_call(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/replicas", json={"min": 0, "max": 1}, headers={"origin": "https://evil.example"})

    assert answer.status_code == 403
    assert "Origin" in answer.json()["detail"]
