"""`loupe history`: searched and exported over the REST of a dashboard that runs."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.cli import app
from services.contract.batch import Batch
from services.contract.inspection import Decision
from services.contract.settings import DashboardSettings, RedisSettings, Settings
from services.history.catalog import Catalog
from services.history.writer import HistoryWriter
from services.records.accounts import Role
from tests.builders import make_inspection
from tests.dashboard_process import dashboard_part
from tests.databases import with_tables
from tests.people import bearer


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Redis is away, as is Kafka: the history needs neither."""
    settings = Settings(home=tmp_path, redis=RedisSettings(url=f"redis://127.0.0.1:{pick_port()}/0"), dashboard=DashboardSettings(port=pick_port()))
    with_tables(settings.records_url)
    catalog = Catalog(settings.history_path)
    inspections = [make_inspection(number, decision=Decision.FAIL if number % 3 == 0 else Decision.PASS) for number in range(12)]
    HistoryWriter(catalog, min_free_mb=0).write(Batch("t", 0, -1, 11, inspections))
    catalog.close()
    token = bearer(settings, Role.SUPERVISOR, "script")["authorization"].removeprefix("Bearer ")
    for name, value in {"HOME": str(settings.home), "DASHBOARD__PORT": str(settings.dashboard.port), "DASHBOARD__TOKEN": token}.items():
        monkeypatch.setenv(f"LOUPE_{name}", value)
    monkeypatch.chdir(tmp_path)
    return settings


def loupe(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["history", *arguments])


def test_inspections_are_searched_and_exported(stack: Settings, tmp_path: Path) -> None:
    with running(dashboard_part(stack), tmp_path / "logs"):
        failed = json.loads(loupe("search", "--line", "metal", "--decision", "fail", "--count", "3", "--json").stdout)
        shown = loupe("search", "--until", "2026-03-02T06:30:02").stdout
        written = loupe("export", "--decision", "pass", "--out", "passed.csv")
        empty = loupe("export", "--out", "answered.zip")
        refused = loupe("export", "--out", "all.txt")

    assert [row["sequence"] for row in failed] == [9, 6, 3]
    assert "metal/top/s1/1" in shown
    assert "metal/top/s1/2" not in shown
    assert written.exit_code == 0
    assert len(list(csv.DictReader((tmp_path / "passed.csv").open()))) == 8
    assert empty.exit_code == 0
    assert (tmp_path / "answered.zip").read_bytes().startswith(b"PK")
    assert refused.exit_code == 2
    assert not list(tmp_path.glob(".*.part"))
