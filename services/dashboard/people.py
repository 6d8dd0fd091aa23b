"""Who may use the dashboard and what they did: accounts, logins and audit over one database."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from services.contract.settings import Settings
from services.records.accounts import Accounts
from services.records.audit import Audit
from services.records.database import Database
from services.records.logins import Logins


@dataclass(frozen=True, slots=True)
class People:
    accounts: Accounts
    logins: Logins
    audit: Audit

    @classmethod
    def of(cls, settings: Settings, database: Database) -> Self:
        """Nothing connects before it is used."""
        idle, longest = timedelta(minutes=settings.dashboard.session_idle_minutes), timedelta(hours=settings.dashboard.session_hours)
        return cls(Accounts(database), Logins(database, idle=idle, longest=longest), Audit(database))
