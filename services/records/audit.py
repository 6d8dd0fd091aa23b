"""Who did what: rows that are only ever added, in the transaction of what they tell of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.records.database import Database
from services.records.models import AuditRow

LONGEST = 200


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever does something: a person, a machine with a token, or whoever types `loupe` on this machine."""

    name: str
    role: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """One row: somebody did something to something."""

    id: int
    at: datetime
    user: str
    role: str
    action: str
    subject: str
    details: dict[str, Any]
    address: str


def audited(session: Session, by: Actor, action: str, subject: str = "", details: Mapping[str, Any] | None = None) -> None:
    """Adds the row inside the caller's transaction: either both happened or neither did. Never a secret in `details`."""
    session.add(
        AuditRow(
            at=datetime.now(UTC),
            user_name=by.name[:LONGEST],
            role=by.role,
            action=action,
            subject=subject[:LONGEST],
            details=dict(details or {}),
            address=by.address[:64],
        )
    )


class Audit:
    """Reads the table; adds to it only what has no transaction of its own to be in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, by: Actor, action: str, subject: str = "", details: Mapping[str, Any] | None = None) -> None:
        with self._database.writing() as session:
            audited(session, by, action, subject, details)

    def deeds(
        self,
        *,
        user: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> tuple[Deed, ...]:
        """Newest first. `action` is the beginning of one (`user.`); `before` is the id at which the page before this one ended."""
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        for condition in (
            None if user is None else AuditRow.user_name == user,
            None if action is None else AuditRow.action.startswith(action, autoescape=True),
            None if since is None else AuditRow.at >= since,
            None if until is None else AuditRow.at < until,
            None if before is None else AuditRow.id < before,
        ):
            query = query if condition is None else query.where(condition)
        with self._database.reading() as session:
            return tuple(_deed(row) for row in session.scalars(query))

    def known(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Users and actions that occur."""
        with self._database.reading() as session:
            users = session.scalars(select(AuditRow.user_name).distinct().order_by(AuditRow.user_name))
            actions = session.scalars(select(AuditRow.action).distinct().order_by(AuditRow.action))
            return tuple(users), tuple(actions)


def _deed(row: AuditRow) -> Deed:
    return Deed(row.id, row.at, row.user_name, row.role, row.action, row.subject, row.details, row.address)
