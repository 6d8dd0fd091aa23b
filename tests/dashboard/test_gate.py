"""Who is let through: the table, what is shown, and sockets that end with their login."""

import asyncio
import queue
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from services.contract.settings import DashboardSettings
from services.dashboard.access import ANYBODY, needed
from services.dashboard.accounts_api import create_accounts_router
from services.dashboard.cookies import Cookies
from services.dashboard.gate import ENDED, Gate
from services.dashboard.people import People
from services.records.accounts import Role
from services.records.database import Database
from services.records.logins import Caller, Logins
from tests.dashboard.conftest import TEST
from tests.people import PASSWORD

COOKIES = Cookies.of(DashboardSettings())


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/login", ANYBODY),
        ("HEAD", "/healthz", ANYBODY),
        ("GET", "/", Role.OPERATOR),
        ("GET", "/assets/docs.js", Role.OPERATOR),
        ("POST", "/api/v1/lines/bolts/pause", Role.SUPERVISOR),
        ("POST", "/api/v1/lines", Role.ADMIN),
        ("GET", "/audit", Role.ADMIN),
        ("DELETE", "/login", None),
        ("OPTIONS", "/", None),
        ("GET", "//", None),
        ("GET", "/login/../users", None),
        ("GET", "/API/v1/users", None),
        ("GET", "/api/v1/lines/bolts/pause", None),
        ("POST", "/api/v1/lines/a/b/pause", None),
        ("GET", "/_nicegui_ws/socket.io/", None),
        ("WS", "/anything", None),
    ],
)
def test_a_call_needs_what_the_table_says_and_else_nobody_may(method: str, path: str, role: object) -> None:
    assert needed(method, path) == role


async def test_a_token_that_is_wrong_is_not_helped_by_a_cookie_that_is_right(anybody: httpx.AsyncClient, people: People) -> None:
    people.accounts.add("anna", Role.ADMIN, PASSWORD, by=TEST)
    secret, _ = people.logins.open("anna", address="", browser="")
    anybody.cookies.set(COOKIES.session, secret)

    assert (await anybody.get("/api/v1/users")).status_code == 200
    assert (await anybody.get("/api/v1/users", headers={"authorization": "Bearer loupe_wrong"})).status_code == 401


async def test_two_cookies_of_the_name_are_none(anybody: httpx.AsyncClient, people: People) -> None:
    people.accounts.add("anna", Role.ADMIN, PASSWORD, by=TEST)
    secret, _ = people.logins.open("anna", address="", browser="")

    answer = await anybody.get("/api/v1/users", headers={"cookie": f"{COOKIES.session}={secret}; {COOKIES.session}={secret}"})

    assert answer.status_code == 401


async def test_where_the_records_do_not_answer_nobody_is_let_in(tmp_path: Any) -> None:
    logins = Logins(Database(f"sqlite:///{tmp_path}/no-tables.sqlite"), idle=timedelta(1), longest=timedelta(1))
    gate = Gate(nothing, logins=logins, cookies=COOKIES)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://127.0.0.1", headers={"authorization": "Bearer x"}) as client:
        answer = await client.get("/api/v1/lines")

    assert (answer.status_code, "records do not answer" in answer.json()["detail"]) == (503, True)


async def test_pages_and_answers_are_kept_by_nobody_unless_they_say_so(client: httpx.AsyncClient, anybody: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/lines")).headers["cache-control"] == "no-store"
    assert (await anybody.get("/login")).headers["cache-control"] == "no-store"


async def test_what_is_missing_is_said_to_anybody_and_why_only_to_those_who_may_know(anybody: httpx.AsyncClient, store: Any, people: People) -> None:
    store.away = True

    outside = (await anybody.get("/readyz")).json()
    inside = (await anybody.get("/readyz", headers={"authorization": f"Bearer {people.logins.add_token('t', Role.OPERATOR, by=TEST)}"})).json()

    assert outside == {"status": "missing", "missing": ["redis"]}
    assert inside["redis"] == "connection refused"


@pytest.mark.parametrize("role", [None, Role.OPERATOR, Role.SUPERVISOR])
async def test_routes_of_admins_ask_again_themselves(people: People, role: Role | None) -> None:
    """Where a row of the table is in the wrong place, or the gate is not there at all."""
    app = FastAPI()
    app.include_router(create_accounts_router(people))

    async def without_a_gate(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {} if role is None else {"caller": Caller("anna", role)}
        await app(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(without_a_gate), base_url="http://127.0.0.1") as client:
        paths = ("users", "tokens", "audit", "audit.csv")
        assert {(await client.get(f"/api/v1/{path}")).status_code for path in paths} == {403}
        assert (await client.post("/api/v1/users", json={"name": "evil", "role": "admin"})).status_code == 403


class Line:
    """A browser's end of a WebSocket."""

    def __init__(self) -> None:
        self.arriving: asyncio.Queue[Message] = asyncio.Queue()
        self.arriving.put_nowait({"type": "websocket.connect"})
        self.sent: asyncio.Queue[Message] = asyncio.Queue()


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})
    await send({"type": "websocket.send", "text": "too late"})


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nobody may come so far")


def socket_of(token: str) -> Scope:
    return {"type": "websocket", "path": "/ws/live", "headers": [(b"authorization", f"Bearer {token}".encode())], "query_string": b""}


async def test_a_socket_carries_messages_until_its_login_ends_and_its_application_hears_of_it(people: People) -> None:
    line, token = Line(), people.logins.add_token("wall", Role.OPERATOR, by=TEST)
    gate = Gate(echo, logins=people.logins, cookies=COOKIES, check_s=0.01)
    serving = asyncio.create_task(gate(socket_of(token), line.arriving.get, line.sent.put))
    line.arriving.put_nowait({"type": "websocket.receive", "text": "hello"})
    async with asyncio.timeout(20):
        accepted, answered = await line.sent.get(), await line.sent.get()

        people.logins.revoke_token("wall", by=TEST)

        await serving
    assert (accepted["type"], answered["text"]) == ("websocket.accept", "hello")
    assert line.sent.get_nowait() == {"type": "websocket.close", "code": ENDED}
    assert line.sent.empty()


async def test_a_browser_that_leaves_ends_the_watch_too(people: People) -> None:
    line, token = Line(), people.logins.add_token("wall", Role.OPERATOR, by=TEST)
    line.arriving.put_nowait({"type": "websocket.disconnect", "code": 1000})
    before = len(asyncio.all_tasks())

    await Gate(echo, logins=people.logins, cookies=COOKIES)(socket_of(token), line.arriving.get, line.sent.put)

    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before


class Listening(Logins):
    """Says how it was asked."""

    def __init__(self, people: People) -> None:
        super().__init__(people.logins._database, idle=timedelta(1), longest=timedelta(1))
        self.asked: queue.Queue[bool] = queue.Queue()

    def of_session(self, secret: str, *, used: bool = True) -> Caller | None:
        self.asked.put(used)
        return super().of_session(secret, used=used)


@pytest.mark.parametrize(("role", "is_use"), [(Role.OPERATOR, True), (Role.SUPERVISOR, False)])
async def test_an_operators_open_page_is_use_and_a_supervisors_is_not(people: People, role: Role, is_use: bool) -> None:
    people.accounts.add("anna", role, PASSWORD, by=TEST)
    logins, line = Listening(people), Line()
    cookie = f"{COOKIES.session}={logins.open('anna', address='', browser='')[0]}"
    scope = {"type": "websocket", "path": "/ws/live", "headers": [(b"cookie", cookie.encode()), (b"origin", b"http://here")], "query_string": b""}

    serving = asyncio.create_task(Gate(echo, logins=logins, cookies=COOKIES, check_s=0.01)(scope, line.arriving.get, line.sent.put))
    opened, checked = [await asyncio.to_thread(logins.asked.get, timeout=20) for _ in range(2)]
    line.arriving.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await serving

    assert (opened, checked) == (True, is_use)
