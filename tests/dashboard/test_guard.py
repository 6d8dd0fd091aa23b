"""Who may call: the names we answer to, and pages of our own."""

import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from services.dashboard.guard import Guard

HERE = "127.0.0.1:8400"


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def refused(method: str = "GET", *, public_hosts: tuple[str, ...] = (), **headers: str) -> bool:
    named = {name.replace("_", "-"): value for name, value in {"host": HERE, **headers}.items()}
    return Guard(nothing, public_hosts=public_hosts).refusal(Headers(named), method) is not None


@pytest.mark.parametrize("host", ["127.0.0.1:8400", "localhost:8400", "[::1]:8400", "LOCALHOST", "localhost"])
def test_loopback_names_are_answered(host: str) -> None:
    assert not refused(host=host)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8400", "localhost.evil.example", "", "[::1", "10.0.0.7:8400"])
def test_other_names_are_refused_even_where_they_resolve_to_loopback(host: str) -> None:
    assert refused(host=host)


def test_two_hosts_or_none_are_refused() -> None:
    guard = Guard(nothing)

    assert guard.refusal(Headers(raw=[]), "GET")
    assert guard.refusal(Headers(raw=[(b"host", HERE.encode()), (b"host", b"evil.example")]), "GET")


def test_a_public_name_is_answered_once_it_is_set() -> None:
    assert refused(host="loupe.plant.example")
    assert not refused(host="loupe.plant.example", public_hosts=("loupe.plant.example",))


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1:9999", "http://localhost:8400", "null", "file://", "http://127.0.0.1:8400.evil.example"]
)
def test_pages_from_elsewhere_are_refused_whatever_they_ask(method: str, origin: str) -> None:
    assert refused(method, origin=origin)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_our_own_pages_pass(method: str) -> None:
    assert not refused(method, origin=f"http://{HERE}")


def test_a_proxy_may_change_the_port_under_a_public_name() -> None:
    assert not refused("POST", host="loupe.plant.example", origin="https://loupe.plant.example:8443", public_hosts=("loupe.plant.example",))


def test_a_form_on_another_site_is_refused_where_the_browser_tells_only_the_site() -> None:
    assert refused("POST", sec_fetch_site="cross-site")
    assert refused("POST", sec_fetch_site="same-site")
    assert not refused("POST", sec_fetch_site="same-origin")


def test_a_program_without_a_page_may_post() -> None:
    assert not refused("POST")


async def called(scope: Scope) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    await Guard(nothing)(scope, receive, send)
    return sent


async def test_a_foreign_websocket_is_closed_before_it_opens() -> None:
    headers = [(b"host", HERE.encode()), (b"origin", b"https://evil.example")]

    sent = await called({"type": "websocket", "path": "/ws/live", "headers": headers})

    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_answers_tell_browsers_to_be_careful() -> None:
    sent = await called({"type": "http", "method": "GET", "path": "/", "headers": [(b"host", HERE.encode())]})

    headers = Headers(raw=sent[0]["headers"])
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
