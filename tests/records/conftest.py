"""Records on SQLite, and on PostgreSQL where its programs are."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded.ports import pick_port
from services.records.migrations import migrate
from services.records.store import Records


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of this session; it refuses to run as root, so that there it runs as nobody."""
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
        yield f"postgresql+psycopg://loupe@127.0.0.1:{port}/postgres"
        _run([*as_nobody, str(programs["pg_ctl"]), "-D", str(stores), "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.sqlite'}"
    address = str(request.getfixturevalue("postgresql_url"))
    _start_afresh(address)
    return address


@pytest.fixture
def records(url: str) -> Iterator[Records]:
    migrate(url)
    records = Records(url)
    yield records
    records.close()


def _start_afresh(url: str) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def _folder_for_nobody(factory: pytest.TempPathFactory) -> Path:
    """Pytest's own folders are closed to others."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="lp-pg-"))
    shutil.chown(folder, "nobody", "nogroup")
    return folder


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command}: {done.stderr}"
