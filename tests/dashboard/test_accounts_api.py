"""REST for accounts: users, sessions, tokens, audit."""

import csv
import io

import httpx
import pytest

from services.dashboard.parts import Parts
from services.dashboard.people import People
from services.records.accounts import Role
from services.records.audit import Actor
from services.records.store import Records
from tests.dashboard.conftest import TEST
from tests.people import PASSWORD

ANNA = {"name": "anna", "role": "supervisor"}


@pytest.fixture
def boss(people: People) -> str:
    people.accounts.add("boss", Role.ADMIN, PASSWORD, by=TEST)
    return "boss"


def bearer(people: People, role: Role) -> dict[str, str]:
    return {"authorization": f"Bearer {people.logins.add_token(f'as-{role.value}', role, by=TEST)}"}


async def test_a_user_is_added_changed_and_disabled(client: httpx.AsyncClient, people: People, boss: str) -> None:
    added = await client.post("/api/v1/users", json=ANNA)
    changed = await client.patch("/api/v1/users/anna", json={"role": "operator"})
    disabled = await client.patch("/api/v1/users/anna", json={"disabled": True})

    assert added.status_code == 201
    assert (changed.json()["role"], changed.json()["must_change"], disabled.json()["disabled"]) == ("operator", True, True)
    assert [user["name"] for user in (await client.get("/api/v1/users")).json()] == ["anna", "boss"]
    assert people.accounts.check("anna", added.json()["password"]) is None

    await client.patch("/api/v1/users/anna", json={"disabled": False})
    reset = await client.post("/api/v1/users/anna/password")

    assert people.accounts.check("anna", reset.json()["password"]) is not None
    assert [(deed.user, deed.action) for deed in people.audit.deeds(limit=5)] == [
        ("token:client", "user.reset-password"),
        ("token:client", "user.enable"),
        ("token:client", "user.disable"),
        ("token:client", "user.role"),
        ("token:client", "user.add"),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "users", {"name": "Anna S", "role": "operator"}, 422, "name: expected"),
        ("POST", "users", {"name": "anna", "role": "king"}, 422, "role"),
        ("POST", "users", {"name": "boss", "role": "operator"}, 409, "exists already"),
        ("PATCH", "users/boss", {"role": "operator"}, 409, "at least one admin"),
        ("PATCH", "users/boss", {"disabled": True}, 409, "at least one admin"),
        ("PATCH", "users/nobody", {"disabled": True}, 404, "expected one of ['boss']"),
        ("POST", "users/nobody/password", None, 404, "nobody"),
        ("GET", "users/nobody/sessions", None, 404, "nobody"),
        ("DELETE", "sessions/nothing", None, 404, "no such session"),
        ("POST", "tokens", {"name": "client", "role": "operator"}, 409, "revoke it first"),
        ("DELETE", "tokens/nothing", None, 404, "expected one of ['client']"),
        ("GET", "audit?since=yesterday", None, 422, "since"),
    ],
)
async def test_a_mistake_is_refused_with_a_reason(
    client: httpx.AsyncClient, boss: str, method: str, path: str, body: dict[str, object] | None, status: int, said: str
) -> None:
    answer = await client.request(method, f"/api/v1/{path}", json=body)

    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text


async def test_sessions_are_listed_and_revoked(client: httpx.AsyncClient, people: People, boss: str) -> None:
    first, _ = people.logins.open(boss, address="10.0.0.7", browser="Firefox/140")
    people.logins.open(boss, address="10.0.0.8", browser="Chrome/150")

    listed = (await client.get("/api/v1/users/boss/sessions")).json()
    one = next(session for session in listed if session["address"] == "10.0.0.7")
    await client.delete(f"/api/v1/sessions/{one['id']}")

    assert {session["browser"] for session in listed} == {"Firefox/140", "Chrome/150"}
    assert people.logins.of_session(first) is None
    assert (await client.delete("/api/v1/users/boss/sessions")).status_code == 204
    assert people.logins.sessions(boss) == ()


async def test_a_token_is_shown_once_and_may_what_its_role_may(client: httpx.AsyncClient, records: Records) -> None:
    records.add_line("bolts")
    made = (await client.post("/api/v1/tokens", json={"name": "press-4", "role": "operator"})).json()
    headers = {"authorization": f"Bearer {made['token']}"}

    assert (await client.get("/api/v1/lines", headers=headers)).status_code == 200
    assert (await client.post("/api/v1/lines/bolts/pause", headers=headers)).status_code == 403
    assert "token" not in (await client.get("/api/v1/tokens")).json()[-1]

    await client.delete("/api/v1/tokens/press-4")

    assert (await client.get("/api/v1/lines", headers=headers)).status_code == 401


async def test_what_supervisors_and_admins_change_is_written_down(client: httpx.AsyncClient, people: People, parts: Parts) -> None:
    await client.post("/api/v1/lines", json={"id": "bolts", "push_token": "a-long-enough-token"})
    await client.post("/api/v1/lines/bolts/pause", headers=bearer(people, Role.SUPERVISOR))
    await client.post("/api/v1/replicas", json={"min": 1, "max": 3})

    found = [(deed.user, deed.role, deed.action, deed.subject, deed.details) for deed in reversed(people.audit.deeds()) if "token.add" not in deed.action]

    assert found == [
        ("token:client", "admin", "line.add", "bolts", {"id": "bolts"}),
        ("token:as-supervisor", "supervisor", "line.pause", "bolts", {}),
        ("token:client", "admin", "replicas.set", "Inspector", {"min": 1, "max": 3}),
    ]


async def test_the_audit_is_filtered_paged_and_exported_whole(client: httpx.AsyncClient, people: People) -> None:
    for number in range(505):
        people.audit.add(Actor("anna", "supervisor", "10.0.0.7"), "verdict.give", f"bolts/cam1/s1/{number}", {"defect": True})

    page = (await client.get("/api/v1/audit", params={"user": "anna", "limit": 2})).json()
    next_page = (await client.get("/api/v1/audit", params={"user": "anna", "limit": 2, "before": page["deeds"][-1]["id"]})).json()
    export = await client.get("/api/v1/audit.csv", params={"action": "verdict."})

    assert [deed["subject"][-3:] for deed in (*page["deeds"], *next_page["deeds"])] == ["504", "503", "502", "501"]
    assert page["actions"] == ["token.add", "verdict.give"]
    rows = list(csv.DictReader(io.StringIO(export.text)))
    assert len({row["subject"] for row in rows}) == 505
    assert (export.headers["content-type"], rows[0]["user"]) == ("text/csv; charset=utf-8", "anna")
    assert people.audit.deeds(limit=1)[0].action == "audit.export"


async def test_no_cell_of_the_export_is_a_formula(client: httpx.AsyncClient, people: People) -> None:
    people.audit.add(Actor("=1+1", "operator"), "login", '@SUM("A1")')

    rows = list(csv.DictReader(io.StringIO((await client.get("/api/v1/audit.csv", params={"action": "login"})).text)))

    assert (rows[0]["user"], rows[0]["subject"]) == ("'=1+1", '\'@SUM("A1")')


async def test_the_description_says_how_to_show_who_calls(client: httpx.AsyncClient) -> None:
    description = (await client.get("/api/v1/openapi.json")).json()

    assert description["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    unsaid = [path for path, calls in description["paths"].items() if path.startswith("/api/") for call in calls.values() if "security" not in call]
    assert unsaid == []
