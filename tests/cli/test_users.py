"""`loupe user` and `loupe token`: the first account needs no login, and what is shown once works."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.cli import app
from services.cli.common import authorization
from services.contract.settings import DashboardSettings, Settings
from services.records.accounts import Role
from tests.databases import with_tables
from tests.people import people_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path))
    return Settings(home=tmp_path)


def loupe(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=typed)


def test_the_first_user_is_added_before_there_is_anything(home: Settings) -> None:
    made = json.loads(loupe("user", "add", "anna", "--role", "admin", "--json").stdout)

    with people_of(home) as people:
        found = people.accounts.check("anna", made["password"])
        assert found is not None
        assert (found.role, found.must_change) == (Role.ADMIN, True)
        assert people.audit.deeds()[0].user.startswith("loupe:")


def test_a_password_may_come_from_standard_input_and_is_not_shown(home: Settings) -> None:
    said = loupe("user", "add", "anna", "--password-stdin", typed="a-long-enough-one\n")

    assert said.stdout == "anna: added\n"
    with people_of(home) as people:
        assert people.accounts.check("anna", "a-long-enough-one") is not None


def test_users_are_listed_disabled_enabled_and_given_other_passwords_and_roles(home: Settings) -> None:
    for name, role in (("anna", "admin"), ("bert", "operator")):
        loupe("user", "add", name, "--role", role)

    loupe("user", "disable", "bert")
    listed = json.loads(loupe("user", "list", "--json").stdout)
    loupe("user", "enable", "bert")
    loupe("user", "role", "bert", "supervisor")
    given = json.loads(loupe("user", "password", "bert", "--json").stdout)

    assert [(user["name"], user["role"], user["state"]) for user in listed] == [
        ("anna", "admin", "has yet to choose a password"),
        ("bert", "operator", "disabled"),
    ]
    with people_of(home) as people:
        assert people.accounts.check("bert", given["password"]) is not None
        assert people.accounts.user("bert").role is Role.SUPERVISOR


def test_tokens_are_made_listed_and_revoked(home: Settings) -> None:
    made = json.loads(loupe("token", "add", "press-4", "--role", "supervisor", "--json").stdout)
    listed = json.loads(loupe("token", "list", "--json").stdout)

    with people_of(home) as people:
        caller = people.logins.of_token(made["token"])
        assert caller is not None
        assert (caller.name, caller.role) == ("press-4", Role.SUPERVISOR)
        assert [(token["name"], "token" in token) for token in listed] == [("press-4", False)]

        loupe("token", "revoke", "press-4")

        assert people.logins.of_token(made["token"]) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("user", "add", "Anna S"), "user: expected 1-40 characters"),
        (("user", "disable", "nobody"), "user 'nobody': expected one of []"),
        (("token", "revoke", "nothing"), "token 'nothing': expected one of []"),
        (("user", "add", "anna", "--password-stdin"), "password: expected 10 to 200 characters, got 0"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_was_expected(arguments: tuple[str, ...], says: str) -> None:
    done = loupe(*arguments)

    assert (done.exit_code, says in done.stderr) == (1, True)


def test_the_command_line_shows_the_token_of_the_settings_or_the_one_that_up_left(home: Settings) -> None:
    assert authorization(home) == {}

    home.token_path.write_text("loupe_left\n")

    assert authorization(home) == {"authorization": "Bearer loupe_left"}
    named = home.model_copy(update={"dashboard": DashboardSettings(token="loupe_named")})
    assert authorization(named) == {"authorization": "Bearer loupe_named"}


def test_an_empty_list_says_how_to_begin(home: Settings) -> None:
    with_tables(home.records_url)

    assert "loupe user add NAME --role admin" in loupe("user", "list").stdout
    assert "loupe token add NAME" in loupe("token", "list").stdout
