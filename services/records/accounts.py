"""People's accounts: who they are, what they may do, and the password that proves it.

Whatever changes what somebody may do ends their sessions in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from services.contract.names import checked_id
from services.records.audit import Actor, audited
from services.records.database import Database
from services.records.errors import AlreadyThereError, LastAdminError, UnknownUserError
from services.records.models import SessionRow, UserRow
from services.records.passwords import checked_password, hashed, one_time_password, verified

FIRST_ADMIN = "admin"
SYSTEM = Actor("loupe", "system")
"""What nobody asked for: the account that a new installation begins with."""


class Role(StrEnum):
    """Each may do what those before it may."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class User:
    name: str
    role: Role
    disabled: bool
    must_change: bool
    created_at: datetime
    password_at: datetime


class Accounts:
    """Adds and changes users. Raises RecordsError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, role: Role, password: str | None = None, *, by: Actor) -> str | None:
        """The one-time password where none was given. Raises AlreadyThereError, InvalidIdError, WeakPasswordError."""
        checked_id(name, "user")
        one_time, password_hash = _password(name, password)
        with self._database.writing() as session:
            if session.get(UserRow, name) is not None:
                raise AlreadyThereError(f"user {name!r}: exists already")
            _insert(session, name, role, password_hash, must_change=one_time is not None)
            audited(session, by, "user.add", name, {"role": role.value})
        return one_time

    def first_admin(self) -> str | None:
        """Where nobody has an account yet: one that may do everything, and its one-time password."""
        if self.users():
            return None
        one_time, password_hash = _password(FIRST_ADMIN, None)
        with self._database.writing() as session:
            if session.scalar(select(func.count()).select_from(UserRow)):  # another process was faster
                return None
            _insert(session, FIRST_ADMIN, Role.ADMIN, password_hash, must_change=True)
            audited(session, SYSTEM, "user.add", FIRST_ADMIN, {"role": Role.ADMIN.value})
        return one_time

    def users(self) -> tuple[User, ...]:
        with self._database.reading() as session:
            return tuple(_user(row) for row in session.scalars(select(UserRow).order_by(UserRow.name)))

    def user(self, name: str) -> User:
        with self._database.reading() as session:
            return _user(_existing(session, name))

    def set_role(self, name: str, role: Role, *, by: Actor) -> None:
        """Raises UnknownUserError, LastAdminError."""
        with self._database.writing() as session:
            row = _existing(session, name)
            if row.role == role:
                return
            audited(session, by, "user.role", name, {"from": row.role, "to": role.value})
            row.role = role.value
            _keep_an_admin(session)
            end_sessions(session, name)

    def set_disabled(self, name: str, disabled: bool, *, by: Actor) -> None:
        """Raises UnknownUserError, LastAdminError."""
        with self._database.writing() as session:
            row = _existing(session, name)
            if row.disabled == disabled:
                return
            audited(session, by, "user.disable" if disabled else "user.enable", name)
            row.disabled = disabled
            _keep_an_admin(session)
            end_sessions(session, name)

    def reset_password(self, name: str, password: str | None = None, *, by: Actor) -> str | None:
        """The one-time password where none was given. Raises UnknownUserError, WeakPasswordError."""
        one_time, password_hash = _password(name, password)
        self._set_password(name, password_hash, must_change=one_time is not None, by=by, action="user.reset-password")
        return one_time

    def change_password(self, name: str, password: str, *, by: Actor) -> None:
        """By its owner, who has just proved to know the old one. Raises WeakPasswordError."""
        _, password_hash = _password(name, password)
        self._set_password(name, password_hash, must_change=False, by=by, action="user.change-password")

    def check(self, name: str, password: str) -> User | None:
        """Whose name and password these are; as long for names that do not exist. Slow on purpose: call it in a thread."""
        with self._database.reading() as session:
            row = session.get(UserRow, name)
            user, password_hash = (_user(row), row.password_hash) if row else (None, None)
        right = verified(password_hash, password)
        return user if right and user is not None and not user.disabled else None

    def _set_password(self, name: str, password_hash: str, *, must_change: bool, by: Actor, action: str) -> None:
        with self._database.writing() as session:
            row = _existing(session, name)
            row.password_hash, row.must_change, row.password_at = password_hash, must_change, datetime.now(UTC)
            audited(session, by, action, name)
            end_sessions(session, name)


def end_sessions(session: Session, name: str) -> None:
    session.execute(delete(SessionRow).where(SessionRow.user_name == name))


def _password(name: str, given: str | None) -> tuple[str | None, str]:
    """One-time password (None where one was given) and hash."""
    if given is not None:
        return None, hashed(checked_password(given, user=name))
    one_time = one_time_password()
    return one_time, hashed(one_time)


def _insert(session: Session, name: str, role: Role, password_hash: str, *, must_change: bool) -> None:
    now = datetime.now(UTC)
    session.add(UserRow(name=name, role=role.value, password_hash=password_hash, must_change=must_change, disabled=False, created_at=now, password_at=now))


def _keep_an_admin(session: Session) -> None:
    session.flush()
    if not session.scalar(select(func.count()).select_from(UserRow).where(UserRow.role == Role.ADMIN.value, UserRow.disabled.is_(False))):
        raise LastAdminError("users: expected at least one admin who is not disabled to be left")


def _existing(session: Session, name: str) -> UserRow:
    row = session.get(UserRow, name)
    if row is None:
        known: Sequence[str] = session.scalars(select(UserRow.name).order_by(UserRow.name)).all()
        raise UnknownUserError(f"user {name!r}: expected one of {list(known)}")
    return row


def _user(row: UserRow) -> User:
    return User(row.name, Role(row.role), row.disabled, row.must_change, row.created_at, row.password_at)
