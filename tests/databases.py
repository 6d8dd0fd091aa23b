"""Databases of the records: SQLite, and PostgreSQL where its programs are. Tables are made once and copied or emptied, since migrations take their time."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine.interfaces import IsolationLevel

from infra.embedded.ports import pick_port
from services.records.migrations import migrate
from services.records.models import Base


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with all tables on a PostgreSQL of this session; it refuses to run as root, so that there it runs as nobody."""
    programs = {name: shutil.which(name) for name in ("initdb", "pg_ctl")}
    if None in programs.values():
        pytest.skip("no PostgreSQL: expected initdb and pg_ctl on the path")
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    if as_nobody and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv to run it as nobody")
    folder = _folder_for_nobody(tmp_path_factory) if as_nobody else tmp_path_factory.mktemp("pg")
    port, stores = pick_port(), folder / "stores"
    try:
        _run([*as_nobody, str(programs["initdb"]), "-D", str(stores), "-U", "loupe", "-A", "trust", "--no-sync", "-E", "UTF8"])
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -F"
        _run([*as_nobody, str(programs["pg_ctl"]), "-D", str(stores), "-o", options, "-w", "-l", str(folder / "log"), "start"])
        server = f"postgresql+psycopg://loupe@127.0.0.1:{port}"
        _run_in(f"{server}/postgres", "CREATE DATABASE records", isolation="AUTOCOMMIT")
        migrate(f"{server}/records")
        yield f"{server}/records"
        _run([*as_nobody, str(programs["pg_ctl"]), "-D", str(stores), "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.sqlite'}"
    server = str(request.getfixturevalue("postgresql_url"))
    _run_in(server, "DROP DATABASE IF EXISTS bare WITH (FORCE)", "CREATE DATABASE bare", isolation="AUTOCOMMIT")
    return server.replace("/records", "/bare")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database with all tables and nothing in them."""
    if request.param == "sqlite":
        return with_tables(f"sqlite:///{tmp_path / 'records.sqlite'}")
    address = str(request.getfixturevalue("postgresql_url"))
    as_a_copy = "SET LOCAL session_replication_role = replica"  # no trigger that keeps what people decided
    _run_in(address, as_a_copy, *(f"DELETE FROM {table}" for table in Base.metadata.tables))
    return address


def with_tables(url: str) -> str:
    """What `migrate` makes of a SQLite file that is not there yet."""
    path = Path(str(make_url(url).database))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(_migrated_file())
    return url


@cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory(prefix="lp-records-") as folder:
        migrate(f"sqlite:///{folder}/records.sqlite")
        return Path(folder, "records.sqlite").read_bytes()


def _run_in(address: str, *statements: str, isolation: IsolationLevel = "READ COMMITTED") -> None:
    engine = create_engine(address, isolation_level=isolation)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _folder_for_nobody(factory: pytest.TempPathFactory) -> Path:
    """Pytest's own folders are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="lp-pg-"))
    shutil.chown(folder, "nobody", "nogroup")
    return folder


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command}: {done.stderr}"
