"""Makes and changes the tables: `migrate(url)`, with Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from services.records.database import WRITES, open_engine, translated

POSTGRESQL_LOCK = 5_683_726_701
"""Any number, as long as it is always this one."""


def migrate(url: str) -> None:
    """Brings the tables to the newest revision; several processes may call it at once. Raises RecordsUnreachableError."""
    engine = open_engine(url)
    try:
        with translated(), engine.execution_options(**{WRITES: True}).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": POSTGRESQL_LOCK})
            configuration = _configuration()
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")
    finally:
        engine.dispose()


def is_migrated(url: str) -> bool:
    """Whether the tables are those that this code expects. Raises RecordsUnreachableError."""
    engine = open_engine(url)
    try:
        with translated(), engine.connect() as connection:
            return _revision(connection) == ScriptDirectory.from_config(_configuration()).get_current_head()
    finally:
        engine.dispose()


def _revision(connection: Connection) -> str | None:
    revision: str | None = MigrationContext.configure(connection).get_current_revision()
    return revision


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return configuration
