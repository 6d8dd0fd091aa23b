"""Accounts of a stack on this machine: the tables, the first admin, and a token with which `loupe` here may ask the dashboard."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.embedded.secret import write_private
from services.contract.settings import Settings
from services.dashboard.people import People
from services.records.accounts import FIRST_ADMIN, SYSTEM, Role
from services.records.database import Database
from services.records.migrations import migrate


def first_password(settings: Settings) -> str | None:
    """Of the first admin, where nobody has an account yet: whoever calls shows it once. Raises RecordsError."""
    with _people(settings) as people:
        return people.accounts.first_admin()


def leave_token(settings: Settings) -> None:
    """In a file that only its owner reads; another one at every start. Raises RecordsError, OSError."""
    with _people(settings) as people:
        write_private(settings.token_path, people.logins.add_token(_token_name(settings.home), Role.ADMIN, by=SYSTEM, replace=True))


def told(password: str) -> str:
    return f"First login: {FIRST_ADMIN} with {password} (shown only now; you choose another there)"


def left_in_file(home: Path, password: str) -> str:
    """For a start that nobody looks at: a log is no place for a password."""
    path = home / "first-password"
    write_private(path, f"{password}\n")
    return f"First login: {FIRST_ADMIN} with the password in {path}; you choose another there"


@contextmanager
def _people(settings: Settings) -> Iterator[People]:
    migrate(settings.records_url)
    database = Database(settings.records_url)
    try:
        yield People.of(settings, database)
    finally:
        database.close()


def _token_name(home: Path) -> str:
    """Of this folder on this machine: several stacks may share one database."""
    return f"loupe-up-{hashlib.sha256(f'{socket.gethostname()}:{home.absolute()}'.encode()).hexdigest()[:12]}"
