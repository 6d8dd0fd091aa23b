"""What a caller shows -> who that is: sessions of browsers, tokens of machines. Only hashes of either are kept."""

import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from services.contract.names import checked_id
from services.records.accounts import Role
from services.records.audit import Actor, audited
from services.records.database import Database
from services.records.errors import AlreadyThereError, RecordsError, UnknownSessionError, UnknownTokenError, UnknownUserError
from services.records.models import SessionRow, TokenRow, UserRow

log = logging.getLogger(__name__)

TOKEN_PREFIX = "loupe_"
"""So that whoever finds one in a file or a log knows what it is."""
SEEN_AGAIN = timedelta(minutes=1)
"""When somebody was last seen is kept no finer than this: not every call is worth a write."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a person through a session, or a machine through a token."""

    name: str
    role: Role
    session_id: str | None = None
    must_change: bool = False
    expires_at: datetime | None = None

    @property
    def is_machine(self) -> bool:
        return self.session_id is None

    def actor(self, address: str) -> Actor:
        return Actor(f"token:{self.name}" if self.is_machine else self.name, self.role.value, address)


@dataclass(frozen=True, slots=True)
class Login:
    """One login of one browser."""

    id: str
    user: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    browser: str


@dataclass(frozen=True, slots=True)
class Token:
    name: str
    role: Role
    created_by: str
    created_at: datetime
    used_at: datetime | None


class Logins:
    """Sessions and tokens. Raises RecordsError."""

    def __init__(self, database: Database, *, idle: timedelta, longest: timedelta) -> None:
        self._database, self._idle, self._longest = database, idle, longest

    # Sessions

    def open(self, user: str, *, address: str, browser: str) -> tuple[str, Caller]:
        """What the browser's cookie is to hold, and who it stands for. Raises UnknownUserError where the user was disabled meanwhile."""
        secret, now = secrets.token_urlsafe(32), datetime.now(UTC)
        with self._database.writing() as session:
            row = session.get(UserRow, user)
            if row is None or row.disabled:
                raise UnknownUserError(f"user {user!r}: expected one who may log in")
            self._sweep(session, now)
            opened = SessionRow(
                id=_hash(secret),
                user_name=user,
                created_at=now,
                seen_at=now,
                expires_at=now + self._longest,
                address=address[:64],
                browser=browser[:200],
            )
            session.add(opened)
            audited(session, Actor(user, row.role, address), "login", user)
            return secret, _caller(row, opened)

    def of_session(self, secret: str, *, used: bool = True) -> Caller | None:
        """Who holds this cookie; None where it is unknown, revoked, or too old. `used`: a person did something, so that idle time starts anew."""
        now = datetime.now(UTC)
        with self._database.reading() as session:
            opened = session.get(SessionRow, _hash(secret))
            user = session.get(UserRow, opened.user_name) if opened else None
            if opened is None or user is None or user.disabled or now >= opened.expires_at or now - opened.seen_at > self._idle:
                return None
            caller, stale = _caller(user, opened), now - opened.seen_at > SEEN_AGAIN
        if used and stale:
            self._see(_hash(secret), now)
        return caller

    def sessions(self, user: str | None = None) -> tuple[Login, ...]:
        """That still hold, last seen first."""
        now = datetime.now(UTC)
        query = select(SessionRow).where(SessionRow.expires_at > now, SessionRow.seen_at >= now - self._idle).order_by(SessionRow.seen_at.desc())
        with self._database.reading() as session:
            rows = session.scalars(query if user is None else query.where(SessionRow.user_name == user))
            return tuple(Login(row.id, row.user_name, row.created_at, row.seen_at, row.expires_at, row.address, row.browser) for row in rows)

    def close(self, session_id: str, *, by: Actor) -> None:
        """Raises UnknownSessionError."""
        with self._database.writing() as session:
            row = session.get(SessionRow, session_id)
            if row is None:
                raise UnknownSessionError(f"session {session_id[:12]}: no such session")
            audited(session, by, "logout" if row.user_name == by.name else "session.revoke", row.user_name, {"session": session_id[:12]})
            session.delete(row)

    def close_all(self, user: str, *, by: Actor) -> int:
        """How many there were."""
        with self._database.writing() as session:
            ids = session.scalars(delete(SessionRow).where(SessionRow.user_name == user).returning(SessionRow.id)).all()
            audited(session, by, "session.revoke", user, {"sessions": len(ids)})
            return len(ids)

    def _see(self, session_id: str, now: datetime) -> None:
        """A database that is busy must not keep anybody out."""
        try:
            with self._database.writing() as session:
                row = session.get(SessionRow, session_id)
                if row is not None:
                    row.seen_at = now
        except RecordsError as error:
            log.debug("session %s: when it was seen is not kept: %s", session_id[:12], error)

    def _sweep(self, session: Session, now: datetime) -> None:
        session.execute(delete(SessionRow).where(or_(SessionRow.expires_at <= now, SessionRow.seen_at < now - self._idle)))

    # Tokens

    def add_token(self, name: str, role: Role, *, by: Actor, replace: bool = False) -> str:
        """The token, kept nowhere: it is shown now or never. Raises AlreadyThereError unless it replaces one, InvalidIdError."""
        checked_id(name, "token")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        with self._database.writing() as session:
            old = session.get(TokenRow, name)
            if old is not None and not replace:
                raise AlreadyThereError(f"token {name!r}: exists already; revoke it first")
            if old is not None:
                session.delete(old)
                session.flush()
            session.add(TokenRow(name=name, sha256=_hash(secret), role=role.value, created_by=by.name, created_at=datetime.now(UTC)))
            audited(session, by, "token.add", name, {"role": role.value})
        return secret

    def of_token(self, secret: str) -> Caller | None:
        now = datetime.now(UTC)
        with self._database.reading() as session:
            row = session.scalar(select(TokenRow).where(TokenRow.sha256 == _hash(secret)))
            if row is None:
                return None
            caller, stale = Caller(row.name, Role(row.role)), row.used_at is None or now - row.used_at > SEEN_AGAIN
        if stale:
            self._use(caller.name, now)
        return caller

    def tokens(self) -> tuple[Token, ...]:
        with self._database.reading() as session:
            rows = session.scalars(select(TokenRow).order_by(TokenRow.name))
            return tuple(Token(row.name, Role(row.role), row.created_by, row.created_at, row.used_at) for row in rows)

    def revoke_token(self, name: str, *, by: Actor) -> None:
        """Raises UnknownTokenError."""
        with self._database.writing() as session:
            row = session.get(TokenRow, name)
            if row is None:
                raise UnknownTokenError(f"token {name!r}: expected one of {[one.name for one in self.tokens()]}")
            audited(session, by, "token.revoke", name, {"role": row.role})
            session.delete(row)

    def _use(self, name: str, now: datetime) -> None:
        try:
            with self._database.writing() as session:
                row = session.get(TokenRow, name)
                if row is not None:
                    row.used_at = now
        except RecordsError as error:
            log.debug("token %s: when it was used is not kept: %s", name, error)


def _caller(user: UserRow, opened: SessionRow) -> Caller:
    return Caller(user.name, Role(user.role), opened.id, user.must_change, opened.expires_at)


def _hash(secret: str) -> str:
    """Both are random and long, so a plain hash keeps them from whoever reads the table."""
    return hashlib.sha256(secret.encode()).hexdigest()
