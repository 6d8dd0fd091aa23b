"""Logging in and out, and choosing a password, as a browser's forms do it."""

from urllib.parse import quote

import httpx
import pytest
from starlette.responses import Response

from services.contract.settings import DashboardSettings
from services.dashboard.cookies import Cookies
from services.dashboard.forms import form_page, local_path
from services.dashboard.people import People
from services.records.accounts import Role
from tests.dashboard.conftest import ADDRESS, TEST
from tests.people import PASSWORD, csrf_in

ANOTHER = "quite-another-one"
COOKIE = "loupe-session-8400"


@pytest.fixture
def anna(people: People) -> str:
    people.accounts.add("anna", Role.SUPERVISOR, PASSWORD, by=TEST)
    return "anna"


async def post(client: httpx.AsyncClient, page: str, path: str = "", **fields: str) -> httpx.Response:
    """The form of a page, filled in."""
    csrf = csrf_in((await client.get(page)).text)
    return await client.post(path or page, data={"csrf": csrf, **fields}, headers={"origin": ADDRESS})


async def log_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
    return await post(client, "/login", name=name, password=password, **fields)


async def caller(client: httpx.AsyncClient) -> str | None:
    answer = await client.get("/api/v1/session")
    return str(answer.json()["name"]) if answer.status_code == 200 else None


async def test_a_right_password_gets_a_cookie_that_scripts_cannot_read(anybody: httpx.AsyncClient, anna: str) -> None:
    answer = await log_in(anybody, " Anna ")

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    [cookie] = [one.lower() for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE)]
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "secure" not in cookie
    assert await caller(anybody) == anna


def test_behind_tls_cookies_are_secure_and_bound_to_the_host() -> None:
    answer = Response()

    Cookies.of(DashboardSettings(tls=True)).give(answer, "secret")

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-loupe-session-8400=secret")
    assert "Secure" in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong-password"), ("nobody", PASSWORD), ("anna", ""), ("", "")])
async def test_a_wrong_name_and_a_wrong_password_are_told_apart_by_nothing(anybody: httpx.AsyncClient, anna: str, name: str, password: str) -> None:
    answer = await log_in(anybody, name, password)

    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert await caller(anybody) is None


async def test_a_form_from_elsewhere_logs_nobody_in(anybody: httpx.AsyncClient, anna: str) -> None:
    """Else a foreign page could log a victim in as somebody that it knows."""
    await anybody.get("/login")

    answers = [
        await anybody.post("/login", data={"name": anna, "password": PASSWORD}),
        await anybody.post("/login", data={"name": anna, "password": PASSWORD, "csrf": "0" * 64}),
        await anybody.post("/login", json={"name": anna, "password": PASSWORD}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/line/bolts?part=bolts/cam1/s1/3", "/line/bolts?part=bolts/cam1/s1/3"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nlocation: //evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/login?next=/x", "/"),
    ],
)
async def test_a_login_leads_to_a_page_of_ours_alone(anybody: httpx.AsyncClient, anna: str, wanted: str, reached: str) -> None:
    answer = await log_in(anybody, anna, next=wanted)

    assert answer.headers["location"] == reached
    assert local_path(wanted) == reached


async def test_somebody_who_followed_a_link_comes_to_where_it_led(anybody: httpx.AsyncClient, anna: str) -> None:
    turned_away = await anybody.get("/line/bolts?part=a/b/c/1")

    assert turned_away.headers["location"] == "/login?next=" + quote("/line/bolts?part=a/b/c/1", safe="/")
    page = (await anybody.get(turned_away.headers["location"])).text
    assert 'name="next" value="/line/bolts?part=a/b/c/1"' in page


async def test_what_somebody_typed_is_text_in_the_page() -> None:
    page = bytes(form_page("login", "", name='"><script>', problem="<b>", csrf="", next="", site="&").body).decode()

    assert "<script>" not in page.replace('<script src="/assets/theme.js">', "")
    assert "&lt;b&gt;" in page


async def test_behind_a_proxy_everything_stays_below_its_prefix(anybody: httpx.AsyncClient, anna: str) -> None:
    anybody.headers["x-forwarded-prefix"] = "/inspect"

    page, answer = await anybody.get("/login"), await log_in(anybody, anna)

    assert 'action="/inspect/login"' in page.text
    assert answer.headers["location"] == "/inspect/"


@pytest.mark.parametrize("prefix", ["//evil.example", "/a/../..", "https://evil.example", '/"><script>'])
async def test_a_prefix_cannot_lead_elsewhere(anybody: httpx.AsyncClient, prefix: str) -> None:
    answer = await anybody.get("/", headers={"x-forwarded-prefix": prefix})

    assert answer.headers["location"] == "/login"


async def test_every_login_is_another_session_and_ends_the_one_before(anybody: httpx.AsyncClient, people: People, anna: str) -> None:
    await log_in(anybody, anna)
    first = anybody.cookies[COOKIE]

    await log_in(anybody, anna)

    assert anybody.cookies[COOKIE] != first
    assert len(people.logins.sessions(anna)) == 1


async def test_logging_out_ends_the_session(anybody: httpx.AsyncClient, people: People, anna: str) -> None:
    await log_in(anybody, anna)
    held = anybody.cookies[COOKIE]

    answer = await post(anybody, "/password", "/logout")

    assert answer.headers["location"] == "/login"
    assert COOKIE not in anybody.cookies
    assert people.logins.of_session(held) is None


async def test_logging_out_needs_a_page_of_ours(anybody: httpx.AsyncClient, anna: str) -> None:
    await log_in(anybody, anna)

    answer = await anybody.post("/logout", data={"csrf": "0" * 64}, headers={"origin": ADDRESS})

    assert answer.status_code == 403
    assert await caller(anybody) == anna


async def test_a_changed_password_ends_every_other_login(anybody: httpx.AsyncClient, people: People, anna: str) -> None:
    elsewhere, _ = people.logins.open(anna, address="10.0.0.9", browser="")
    await log_in(anybody, anna)

    answer = await post(anybody, "/password", password=PASSWORD, chosen=ANOTHER, again=ANOTHER)

    assert answer.status_code == 303
    assert await caller(anybody) == anna
    assert people.logins.of_session(elsewhere) is None
    assert people.accounts.check(anna, ANOTHER) is not None
    assert people.accounts.check(anna, PASSWORD) is None


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"password": "wrong-password", "chosen": ANOTHER, "again": ANOTHER}, 401, "The present password is wrong."),
        ({"password": PASSWORD, "chosen": ANOTHER, "again": ANOTHER + "x"}, 422, "The two new passwords differ."),
        ({"password": PASSWORD, "chosen": "short", "again": "short"}, 422, "Password: expected 10 to 200 characters"),
        ({"password": PASSWORD, "chosen": PASSWORD, "again": PASSWORD}, 422, "Choose another one than now."),
        ({"password": PASSWORD, "chosen": ANOTHER, "again": ANOTHER, "csrf": "0" * 64}, 403, "too old"),
    ],
)
async def test_a_password_is_not_changed_without_reason(
    anybody: httpx.AsyncClient, people: People, anna: str, fields: dict[str, str], status: int, says: str
) -> None:
    await log_in(anybody, anna)

    answer = await post(anybody, "/password", **fields)

    assert (answer.status_code, says in answer.text) == (status, True)
    assert people.accounts.check(anna, PASSWORD) is not None


async def test_a_password_that_somebody_else_made_is_good_for_choosing_one(anybody: httpx.AsyncClient, people: People) -> None:
    one_time = people.accounts.add("bert", Role.ADMIN, by=TEST)
    assert one_time is not None

    first = await log_in(anybody, "bert", one_time)

    assert first.headers["location"] == "/password"
    assert (await anybody.get("/")).headers["location"] == "/password"
    assert (await anybody.get("/api/v1/users")).status_code == 403
    assert (await anybody.get("/api/v1/session")).json()["must_change"]

    await post(anybody, "/password", password=one_time, chosen=ANOTHER, again=ANOTHER)

    assert (await anybody.get("/api/v1/users")).status_code == 200


async def test_guesses_are_slowed_down_and_written_down(anybody: httpx.AsyncClient, people: People, anna: str) -> None:
    answers = [await log_in(anybody, anna, f"guess number {number}") for number in range(6)]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert "retry-after" in answers[-1].headers
    refused = people.audit.deeds(action="login.refused")
    assert [deed.details for deed in refused] == [{"blocked": True}, {}, {}, {}, {}]
    assert {deed.address for deed in refused} == {"127.0.0.1"}


async def test_what_is_no_users_name_is_not_written_down(anybody: httpx.AsyncClient, people: People, anna: str) -> None:
    """Somebody typed a password there."""
    await log_in(anybody, "my-secret-password", "x")

    assert [deed.action for deed in people.audit.deeds()] == ["user.add"]
