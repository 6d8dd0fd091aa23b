import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.records import database
from services.records.database import open_engine
from services.records.migrations import is_migrated, migrate
from services.records.models import Base
from services.records.store import Records


def test_migrations_make_the_tables_that_the_models_describe(bare_url: str) -> None:
    migrate(bare_url)

    engine = open_engine(bare_url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata)
    engine.dispose()
    assert differences == []


def test_a_sqlite_file_is_its_owners_alone_whatever_it_was(tmp_path: Path) -> None:
    made, found = tmp_path / "made.sqlite", tmp_path / "found.sqlite"
    found.touch(mode=0o644)

    for path in (made, found):
        migrate(f"sqlite:///{path}")

    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {path.name: 0o600 for path in tmp_path.iterdir()}


def test_migrating_again_changes_nothing(bare_url: str) -> None:
    assert not is_migrated(bare_url)
    migrate(bare_url)
    records = Records(bare_url)
    records.add_line("metal")

    migrate(bare_url)

    assert is_migrated(bare_url)
    assert [line.id for line in records.lines()] == ["metal"]
    records.close()


def test_several_processes_may_migrate_at_once(bare_url: str) -> None:
    failures: list[Exception] = []

    def attempt() -> None:
        try:
            migrate(bare_url)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert is_migrated(bare_url)


def test_a_new_file_that_another_is_writing_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new.sqlite"
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE theirs (id)")
        monkeypatch.setattr(database.time, "sleep", lambda _: other.execute("COMMIT"))

        migrate(f"sqlite:///{path}")

    assert not other.in_transaction, "it was not asked again"
    assert is_migrated(f"sqlite:///{path}")
