"""Pushing over HTTP, against a publisher in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.bus.errors import BrokerUnreachableError, BufferFullError
from services.contract.settings import IngestSettings
from services.ingest.application import create_app
from services.ingest.outlet import Outlet
from services.ingest.plant import Layout
from services.ingest.push import Intake
from services.ingest.tally import Tally
from services.records.store import Camera, Line, token_hash

URL = "/api/v1/lines/bolts/cameras/cam1/frames"
JPEG, PNG = b"\xff\xd8\xff pixels", b"\x89PNG\r\n\x1a\n pixels"
TOKEN = {"Authorization": "Bearer bolts-token"}
LAYOUT = Layout(
    lines={
        "bolts": Line("bolts", "Bolts", "m8", "wait", token_hash("bolts-token"), False, datetime.now(UTC)),
        "nuts": Line("nuts", "Nuts", None, "wait", None, False, datetime.now(UTC)),
    },
    cameras={("bolts", "cam1"): Camera("bolts", "cam1", "push:"), ("bolts", "cam2"): Camera("bolts", "cam2", "folder:/x")},
)


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def make_client(outlet: Outlet, tally: Tally) -> Callable[..., httpx.AsyncClient]:
    def make(waits_for: tuple[str, ...] = (), *, uploading: int = 10_000) -> httpx.AsyncClient:
        intake = Intake(outlet, lambda: LAYOUT, lambda key: tally, max_picture_bytes=1000, max_uploading_bytes=uploading, ack_s=0.2)
        app = create_app(IngestSettings(), intake, lambda: list(waits_for))
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8401")

    return make


@pytest.fixture
async def client(make_client: Callable[..., httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    async with make_client() as opened:
        yield opened


@pytest.mark.parametrize("picture", [JPEG, PNG])
async def test_a_pushed_picture_is_a_frame(client: httpx.AsyncClient, publisher: Any, tally: Tally, picture: bytes) -> None:
    said = {"Loupe-Captured-At": "2026-01-02T03:04:05+00:00", "Loupe-Part-Id": "p-7", "Loupe-Deadline": "2026-01-02T03:04:06+00:00"}
    answer = await client.post(URL, content=picture, headers={**TOKEN, **said, "Content-Type": "image/jpeg"})

    assert answer.status_code == 202
    value, key, headers = publisher.sent[0]
    assert (value, key) == (picture, b"bolts/cam1")
    assert headers["ce_id"].decode() == answer.json()["frame_id"]
    assert {headers["ce_time"], headers["ce_partid"], headers["ce_product"]} == {b"2026-01-02T03:04:05+00:00", b"p-7", b"m8"}
    assert tally.sent == 1


async def test_pushes_of_one_camera_count_up(client: httpx.AsyncClient) -> None:
    ids = [(await client.post(URL, content=JPEG, headers=TOKEN)).json()["frame_id"].split("/") for _ in range(3)]

    assert [identity[3] for identity in ids] == ["0", "1", "2"]
    assert len({identity[2] for identity in ids}) == 1


async def test_a_repeat_under_the_same_key_makes_no_second_frame(client: httpx.AsyncClient, publisher: Any) -> None:
    headers = {**TOKEN, "Idempotency-Key": "part 17, photo 2"}
    answers = await asyncio.gather(*(client.post(URL, content=JPEG, headers=headers) for _ in range(3)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["frame_id"] for answer in answers}) == 1
    assert len(publisher.sent) == 1


async def test_a_repeat_in_another_process_has_the_same_identity(make_client: Callable[..., httpx.AsyncClient], publisher: Any) -> None:
    for _ in range(2):
        async with make_client() as client:
            await client.post(URL, content=JPEG, headers={**TOKEN, "Idempotency-Key": "17"})

    assert len(publisher.frame_ids) == 2
    assert len(set(publisher.frame_ids)) == 1


@pytest.mark.parametrize(
    ("url", "headers", "picture", "status", "detail"),
    [
        (URL, {}, JPEG, 401, "expected `Bearer"),
        (URL, {"Authorization": "Bearer wrong"}, JPEG, 401, "expected the push token of line 'bolts'"),
        (URL, {"Authorization": "Basic bolts-token"}, JPEG, 401, "expected `Bearer"),
        (URL.replace("bolts", "nuts"), TOKEN, JPEG, 401, "line 'nuts'"),
        (URL.replace("bolts", "screws"), TOKEN, JPEG, 404, "line 'screws': expected one of ['bolts', 'nuts']"),
        (URL.replace("cam1", "cam9"), TOKEN, JPEG, 404, "camera 'cam9'"),
        (URL.replace("cam1", "cam2"), TOKEN, JPEG, 404, "with source push:, which are ['cam1']"),
        (URL, TOKEN, JPEG * 200, 413, "expected at most 1000 bytes"),
        (URL, TOKEN, b"GIF89a", 415, "expected JPEG or PNG, got 6 bytes starting b'GIF8'"),
        (URL, {**TOKEN, "Content-Type": "application/json"}, JPEG, 415, "Content-Type"),
        (URL, TOKEN, b"", 422, "got none"),
        (URL, {**TOKEN, "Loupe-Captured-At": "yesterday"}, JPEG, 422, ""),
        (URL, {**TOKEN, "Loupe-Captured-At": "2026-01-02T03:04:05"}, JPEG, 422, ""),
        (URL, {**TOKEN, "Host": "evil.example"}, JPEG, 403, "Host"),
        (URL, {**TOKEN, "Origin": "http://evil.example"}, JPEG, 403, "Origin"),
    ],
)
async def test_a_push_that_is_refused_says_why(
    client: httpx.AsyncClient, publisher: Any, url: str, headers: dict[str, str], picture: bytes, status: int, detail: str
) -> None:
    answer = await client.post(url, content=picture, headers=headers)

    assert answer.status_code == status
    assert detail in str(answer.json()["detail"])
    assert not publisher.sent


async def test_a_picture_without_announced_length_is_cut_off_too(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield JPEG * 10

    assert (await client.post(URL, content=endless(), headers=TOKEN)).status_code == 413


async def test_too_much_at_once_is_429(make_client: Callable[..., httpx.AsyncClient]) -> None:
    async with make_client(uploading=100) as client:
        answer = await client.post(URL, content=JPEG * 50, headers=TOKEN)
        again = await client.post(URL, content=JPEG, headers=TOKEN)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert again.status_code == 202


@pytest.mark.parametrize(("error", "status"), [(BufferFullError("full"), 429), (BrokerUnreachableError("away"), 503)])
async def test_a_broker_that_takes_nothing_is_told_apart(client: httpx.AsyncClient, publisher: Any, tally: Tally, error: Exception, status: int) -> None:
    publisher.refusal = error
    refused = await client.post(URL, content=JPEG, headers={**TOKEN, "Idempotency-Key": "1"})
    publisher.refusal = None
    repeated = await client.post(URL, content=JPEG, headers={**TOKEN, "Idempotency-Key": "1"})

    assert refused.status_code == status
    assert refused.headers["Retry-After"] == "1"
    assert repeated.status_code == 202
    assert (tally.sent, tally.dropped) == (1, 1)


async def test_nothing_is_promised_before_the_brokers_acknowledgement(client: httpx.AsyncClient, publisher: Any) -> None:
    publisher.holding = True
    headers = {**TOKEN, "Idempotency-Key": "1"}
    unanswered = await client.post(URL, content=JPEG, headers=headers)
    publisher.acknowledge()
    repeated = await client.post(URL, content=JPEG, headers=headers)

    assert unanswered.status_code == 503
    assert repeated.status_code == 202
    assert len(publisher.sent) == 1


async def test_health_and_readiness(make_client: Callable[..., httpx.AsyncClient]) -> None:
    async with make_client(("kafka",)) as client:
        assert (await client.get("/healthz")).status_code == 200
        waiting = await client.get("/readyz")
    assert (waiting.status_code, waiting.json()["waits_for"]) == (503, ["kafka"])


async def test_the_interface_describes_itself(client: httpx.AsyncClient) -> None:
    operation = (await client.get("/openapi.json")).json()["paths"]["/api/v1/lines/{line}/cameras/{camera}/frames"]["post"]

    assert set(operation["responses"]) >= {"202", "401", "404", "413", "415", "429", "503"}
    assert set(operation["requestBody"]["content"]) == {"image/jpeg", "image/png"}
    assert "idempotency-key" in {parameter["name"] for parameter in operation["parameters"]}
