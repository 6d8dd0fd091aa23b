"""What `loupe up` leaves for the command line on its machine, and for whoever logs in first."""

from pathlib import Path

from rich.console import Console

from infra.embedded.accounts import first_password, leave_token, left_in_file, told
from infra.embedded.display import Display
from infra.embedded.process import Identity
from infra.embedded.state import PartState, PartStatus, StackState
from services.contract.settings import Settings
from services.records.accounts import FIRST_ADMIN, Role
from tests.people import people_of


def test_the_token_is_its_owners_alone_and_another_one_at_every_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    leave_token(settings)
    first = settings.token_path.read_text()

    leave_token(settings)

    assert settings.token_path.stat().st_mode & 0o777 == 0o600
    with people_of(settings) as people:
        caller = people.logins.of_token(settings.token_path.read_text())
        assert caller is not None
        assert caller.role is Role.ADMIN
        assert people.logins.of_token(first) is None
        assert len(people.logins.tokens()) == 1


def test_two_folders_that_share_a_database_have_a_token_each(tmp_path: Path) -> None:
    one = Settings(home=tmp_path / "one")
    other = Settings(home=tmp_path / "other", records=one.records.model_copy(update={"url": one.records_url}))

    leave_token(one)
    leave_token(other)

    with people_of(one) as people:
        assert people.logins.of_token(one.token_path.read_text()) is not None
        assert people.logins.of_token(other.token_path.read_text()) is not None


def test_the_first_admins_password_is_made_once(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)

    password = first_password(settings)

    assert password is not None
    assert first_password(settings) is None
    with people_of(settings) as people:
        assert people.accounts.check(FIRST_ADMIN, password) is not None


def test_a_start_that_nobody_looks_at_leaves_the_password_in_a_file_of_its_owner(tmp_path: Path) -> None:
    said = left_in_file(tmp_path, "the-password")

    assert "the-password" not in said
    assert (tmp_path / "first-password").read_text() == "the-password\n"
    assert (tmp_path / "first-password").stat().st_mode & 0o777 == 0o600


def test_the_password_is_shown_once_beside_the_address() -> None:
    console = Console(record=True, width=200, force_terminal=False)
    display = Display(console, told("the-password"))
    up = StackState(Identity(1, 0.0), {"dashboard": "http://127.0.0.1:8400"}, {"dashboard": PartStatus("dashboard", PartState.RUNNING)})

    with display.open():
        display.show(up)
        display.show(up)

    said = console.export_text()
    assert said.count("the-password") == 1
    assert "http://127.0.0.1:8400" in said
