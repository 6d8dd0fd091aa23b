"""Every door of the running dashboard, tried by everybody: the routes and sockets are asked of the application, so that a new one is tried too."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.contract.settings import DashboardSettings, RedisSettings, Settings
from services.dashboard.access import needed
from services.dashboard.cookies import csrf_of
from services.dashboard.gate import ENDED
from services.records.accounts import Role
from services.records.migrations import migrate
from tests.dashboard_process import Route, dashboard_part, routes_of
from tests.people import TEST, add_user, bearer, form_login, people_of

OPEN = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/favicon.ico"),
    ("GET", "/assets/style.css"),
    ("GET", "/assets/theme.js"),
    ("GET", "/assets/logo.svg"),
}
"""All that somebody who has not logged in may have."""
FORM = ("POST", "/login")
"""Answers 403 to what does not come from its page."""
NICEGUI_SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
SOCKETS = ("/ws/live", NICEGUI_SOCKET)
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Redis is away: nobody who is refused would notice."""
    home = tmp_path_factory.mktemp("doors")
    made = Settings(home=home, redis=RedisSettings(url=f"redis://127.0.0.1:{pick_port()}/0"), dashboard=DashboardSettings(port=pick_port()))
    migrate(made.records_url)
    for role in Role:
        add_user(made, f"{role.value}-1", role)
    return made


@pytest.fixture(scope="module")
def home(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(dashboard_part(settings), tmp_path_factory.mktemp("logs")):
        yield f"http://127.0.0.1:{settings.dashboard.port}"


@pytest.fixture(scope="module")
def routes(settings: Settings) -> list[Route]:
    return routes_of(settings)


@pytest.fixture
def client(home: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=home, trust_env=False, timeout=30) as opened:
        yield opened


Browser = Callable[[str], dict[str, str]]


@pytest.fixture
def browser(settings: Settings, home: str) -> Browser:
    """Headers of a page of somebody who has logged in: cookie, Origin, CSRF token."""

    def of(user: str) -> dict[str, str]:
        with people_of(settings) as people:
            secret, _ = people.logins.open(user, address="127.0.0.1", browser="test")
        return {"cookie": f"loupe-session-{settings.dashboard.port}={secret}", "origin": home, "x-csrf-token": csrf_of(secret)}

    return of


def knock(client: httpx.Client, route: Route, headers: Mapping[str, str]) -> int:
    """The status of the answer; 403 for a socket that is refused, 101 for one that opens."""
    method, path = route
    if method != "WS":
        return client.request(method, path, headers=headers).status_code
    try:
        with connect(f"{str(client.base_url).replace('http', 'ws')}{path}", additional_headers=headers, proxy=None):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def until_closed(socket: ClientConnection) -> int | None:
    with suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=30)
    return socket.close_code


def test_without_a_login_only_what_the_login_needs_is_to_be_had(client: httpx.Client, routes: list[Route]) -> None:
    found = {route: knock(client, route, {}) for route in routes}

    assert {route for route, status in found.items() if status not in (401, 403) and status != 303} == OPEN - {FORM}
    assert {path for (method, path), status in found.items() if status == 303} == {
        "/",
        "/line/x",
        "/line/x/thresholds",
        "/review",
        "/history",
        "/lines",
        "/models",
        "/users",
        "/audit",
        "/password",
        "/quality",
        "/training",
    }


def test_every_route_is_in_the_table_or_shut_for_admins_too(client: httpx.Client, routes: list[Route], browser: Browser) -> None:
    unlisted = [route for route in routes if needed(*route) is None]

    headers = browser("admin-1")

    assert {path.split("/")[1] for _, path in unlisted} <= {"_nicegui", "_nicegui_ws"}
    assert {knock(client, route, headers) for route in unlisted} <= {403, 404}


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.SUPERVISOR])
def test_a_role_may_not_have_what_needs_a_higher_one(client: httpx.Client, routes: list[Route], browser: Browser, settings: Settings, role: Role) -> None:
    needs = {route: needed(*route) for route in routes}
    above = [route for route, need in needs.items() if isinstance(need, Role) and not role.covers(need)]

    for headers in (browser(f"{role.value}-1"), bearer(settings, role)):
        assert {route: knock(client, route, headers) for route in above} == dict.fromkeys(above, 403)
    assert len(above) > 10


@pytest.mark.parametrize("value", ["", "x", "0" * 43, "../../etc/passwd", "a" * 5000])
def test_a_forged_cookie_or_token_opens_nothing(client: httpx.Client, routes: list[Route], settings: Settings, home: str, value: str) -> None:
    shut = [route for route in routes if route not in OPEN]
    cookie = {"cookie": f"loupe-session-{settings.dashboard.port}={value}", "origin": home, "x-csrf-token": csrf_of(value)}

    for headers in (cookie, {"authorization": f"Bearer loupe_{value}"}):
        assert {knock(client, route, headers) for route in shut} <= {303, 401, 403}


def test_a_page_from_elsewhere_is_refused_everything_even_with_an_admins_cookie(client: httpx.Client, routes: list[Route], browser: Browser) -> None:
    headers = {**browser("admin-1"), "origin": EVIL}

    assert {knock(client, route, headers) for route in routes} == {403}


def test_a_cookie_alone_changes_nothing(client: httpx.Client, routes: list[Route], browser: Browser) -> None:
    """As a form on another site would send it, if the browser let it."""
    unsafe = [route for route in routes if route[0] in ("POST", "PUT", "PATCH", "DELETE") and route not in OPEN and needed(*route) is not None]
    page = browser("admin-1")

    without = {key: value for key, value in page.items() if key != "x-csrf-token"}
    another = {**page, "x-csrf-token": csrf_of("of another session")}

    assert {route: knock(client, route, without) for route in unsafe} == dict.fromkeys(unsafe, 403)
    assert {route: knock(client, route, another) for route in unsafe} == dict.fromkeys(unsafe, 403)


@pytest.mark.parametrize("path", SOCKETS)
def test_a_socket_opens_with_a_cookie_of_ours_and_an_origin_of_ours_only(client: httpx.Client, browser: Browser, settings: Settings, path: str) -> None:
    page = browser("operator-1")

    assert knock(client, ("WS", path), page) == 101
    assert knock(client, ("WS", path), bearer(settings, Role.OPERATOR)) == 101
    assert knock(client, ("WS", path), {"cookie": page["cookie"]}) == 403
    assert knock(client, ("WS", path), {**page, "origin": EVIL}) == 403
    assert knock(client, ("WS", path), {"origin": page["origin"]}) == 403


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("deed", ["revoke", "role", "disable", "password"])
def test_an_open_socket_ends_with_the_login(settings: Settings, home: str, browser: Browser, path: str, deed: str) -> None:
    name = f"w-{deed}-{SOCKETS.index(path)}"
    add_user(settings, name, Role.OPERATOR)
    with connect(f"{home.replace('http', 'ws')}{path}", additional_headers=browser(name), proxy=None) as socket, people_of(settings) as people:
        socket.send("{}" if path == "/ws/live" else "40")

        {
            "revoke": lambda: people.logins.close_all(name, by=TEST),
            "role": lambda: people.accounts.set_role(name, Role.SUPERVISOR, by=TEST),
            "disable": lambda: people.accounts.set_disabled(name, True, by=TEST),
            "password": lambda: people.accounts.reset_password(name, by=TEST),
        }[deed]()

        assert until_closed(socket) == ENDED


def test_an_open_socket_ends_with_its_token(settings: Settings, home: str) -> None:
    headers = bearer(settings, Role.OPERATOR, "soon-gone")
    with connect(f"{home.replace('http', 'ws')}/ws/live", additional_headers=headers, proxy=None) as socket, people_of(settings) as people:
        people.logins.revoke_token("soon-gone", by=TEST)

        assert until_closed(socket) == ENDED


def test_guessing_a_password_is_slowed_down_and_logging_in_as_another_is_not(client: httpx.Client, settings: Settings) -> None:
    add_user(settings, "guessed", Role.ADMIN)

    statuses = [form_login(client, "guessed", f"guess number {number}").status_code for number in range(7)]

    assert statuses == [401] * 5 + [429] * 2
    right = form_login(client, "guessed")
    assert (right.status_code, int(right.headers["retry-after"]) > 0) == (429, True)
    assert form_login(client, "operator-1").status_code == 303


def test_a_caller_cannot_choose_the_address_that_it_is_known_by(client: httpx.Client, settings: Settings) -> None:
    add_user(settings, "spoofed", Role.ADMIN)

    def guess(number: int) -> int:
        client.headers["x-forwarded-for"] = f"10.0.0.{number}"
        return form_login(client, "spoofed", f"guess number {number}").status_code

    assert [guess(number) for number in range(6)] == [401] * 5 + [429]


def test_a_restarted_dashboard_still_knows_who_is_logged_in(settings: Settings, browser: Browser, tmp_path: Path) -> None:
    again = settings.model_copy(update={"dashboard": DashboardSettings(port=pick_port())})
    secret = browser("operator-1")["cookie"].partition("=")[2]

    with running(dashboard_part(again), tmp_path):
        url = f"http://127.0.0.1:{again.dashboard.port}/api/v1/session"
        found = httpx.get(url, headers={"cookie": f"loupe-session-{again.dashboard.port}={secret}"}, trust_env=False)

    assert found.json()["name"] == "operator-1"
