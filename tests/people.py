"""Accounts for tests: users with passwords, tokens, and a browser or a client that has logged in."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from services.contract.settings import Settings
from services.dashboard.people import People
from services.records.accounts import Role
from services.records.audit import Actor
from services.records.database import Database

PASSWORD = "a-long-enough-one"
TEST = Actor("test", "admin")


@contextmanager
def people_of(settings: Settings) -> Iterator[People]:
    database = Database(settings.records_url)
    yield People.of(settings, database)
    database.close()


def add_user(settings: Settings, name: str, role: Role) -> None:
    """With PASSWORD."""
    with people_of(settings) as people:
        people.accounts.add(name, role, PASSWORD, by=TEST)


def bearer(settings: Settings, role: Role, name: str = "test") -> dict[str, str]:
    with people_of(settings) as people:
        return {"authorization": f"Bearer {people.logins.add_token(name, role, by=TEST, replace=True)}"}


def log_in(page: Any, name: str, password: str = PASSWORD) -> None:
    """Through the form, in a browser; ends where the login leads."""
    page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    with page.expect_navigation():
        page.get_by_role("button", name="Log in").click()


def csrf_in(form: str) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', form)
    assert found is not None, form
    return found[1]


def form_login(client: httpx.Client, name: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
    """As a browser's form does it; the client keeps the cookie."""
    csrf = csrf_in(client.get("/login").text)
    return client.post("/login", data={"name": name, "password": password, "csrf": csrf, **fields}, headers={"origin": str(client.base_url).rstrip("/")})
