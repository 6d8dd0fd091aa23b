"""An SQLAlchemy address -> an engine whose write transactions take their lock at once and whose errors are ours.

SQLite: WAL, so that readers and the writer do not wait for each other; BEGIN IMMEDIATE, since a transaction that begins reading and
then writes fails instead of waiting when another wrote in between.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session

from services.records.errors import RecordsError, RecordsUnreachableError

BUSY_TIMEOUT_MS = 5_000
WRITES = "loupe_writes"


def open_engine(url: str) -> Engine:
    """Connects at first use. A SQLite file's folder is made."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return create_engine(address, pool_pre_ping=True, pool_size=5, max_overflow=5)
    if address.database and address.database != ":memory:":
        _make_private(Path(address.database))
    engine = create_engine(address, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


class Database:
    """Sessions that read, and sessions that write; both raise RecordsError."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._writer = self.engine.execution_options(**{WRITES: True})

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with translated(), Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: all of it at the end of the block, nothing on an exception."""
        with translated(), Session(self._writer) as session, session.begin():
            yield session

    def close(self) -> None:
        self.engine.dispose()


def insert_missing(session: Session, table: type[DeclarativeBase], rows: list[dict[str, Any]]) -> None:
    """Rows whose key is there already stay as they are. The two dialects say it alike, but each in its own module."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    if rows:
        session.connection().execute(insert(table).on_conflict_do_nothing(), rows)


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, ProgrammingError) as error:  # away, locked, or a table that no migration has made yet
        raise RecordsUnreachableError(f"records: {_cause(error)}") from error
    except DBAPIError as error:
        unreachable = error.connection_invalidated
        raise (RecordsUnreachableError if unreachable else RecordsError)(f"records: {_cause(error)}") from error
    except SQLAlchemyError as error:
        raise RecordsError(f"records: {error}") from error


def _make_private(path: Path) -> None:
    """The file holds hashes of passwords; SQLite gives what it writes beside it the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    if path.stat().st_mode & 0o077:
        with suppress(PermissionError):  # somebody else's: theirs to decide
            path.chmod(0o600)


def _cause(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig and str(error.orig).strip() else str(error)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # the driver would begin transactions by itself, too late
    cursor = connection.cursor()
    _write_ahead(cursor)
    for pragma in ("foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """The first connection to a file turns it to WAL, for good. SQLite waits for no busy timeout there, so those beside it ask again."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")
