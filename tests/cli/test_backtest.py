"""`loupe models backtest`: asked over the REST of a dashboard that runs, answered by whoever works on jobs."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.cli import app
from services.contract.settings import DashboardSettings, RedisSettings, Settings
from services.records.accounts import Role
from services.records.database import Database
from services.records.jobs import JobKind, Jobs, Trigger
from services.records.store import Records
from tests.builders import MODEL_VERSION, make_calibration
from tests.dashboard_process import dashboard_part
from tests.databases import with_tables
from tests.people import TEST, bearer

LEASE = timedelta(seconds=30)
CHANGE = {"frame_id": "metal/top/s1/7", "camera": "top", "before": 0.2, "after": 0.8, "flagged": True}
COUNTS = {"newly_flagged": 1, "no_longer_flagged": 0}
FOUND = {"agreement": 0.99, "in_kafka": 400, "expired": 3, "by_camera": {"top": {"frames": 100, **COUNTS}}, "changes": [CHANGE], "frames": 100, **COUNTS}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Redis is away, as are Kafka and the trainer."""
    settings = Settings(home=tmp_path, redis=RedisSettings(url=f"redis://127.0.0.1:{pick_port()}/0"), dashboard=DashboardSettings(port=pick_port()))
    with_tables(settings.records_url)
    records = Records(settings.records_url)
    records.add_line("metal")
    records.add_calibration("metal", MODEL_VERSION, make_calibration())
    records.activate("metal", MODEL_VERSION, "c1", by="test")
    records.close()
    token = bearer(settings, Role.SUPERVISOR, "script")["authorization"].removeprefix("Bearer ")
    for name, value in {"HOME": str(settings.home), "DASHBOARD__PORT": str(settings.dashboard.port), "DASHBOARD__TOKEN": token}.items():
        monkeypatch.setenv(f"LOUPE_{name}", value)
    monkeypatch.chdir(tmp_path)
    with running(dashboard_part(settings), tmp_path / "logs"):
        yield settings


@pytest.fixture
def jobs(stack: Settings) -> Iterator[Jobs]:
    database = Database(stack.records_url)
    yield Jobs(database)
    database.close()


def finish(jobs: Jobs, result: dict[str, Any], ended: threading.Event) -> None:
    """The next job that somebody asks for."""
    while (job := jobs.claim("trainer", LEASE)) is None:
        if ended.wait(0.1):
            return
    jobs.finish(job.id, "trainer", result)


def loupe(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", "backtest", *arguments])


def test_the_latest_candidate_is_tried_and_what_it_changes_is_told(jobs: Jobs) -> None:
    without = loupe("metal")
    jobs.ask("metal", Trigger.CLICK, TEST)
    finish(jobs, {"candidate": "cd" * 32, "champion": MODEL_VERSION, "calibration": {"review": 0.3}, "gate": {}}, threading.Event())
    ended = threading.Event()
    trainer = threading.Thread(target=finish, args=(jobs, FOUND, ended))
    trainer.start()

    told = loupe("metal", "--minutes", "5", "--wait")
    ended.set()
    trainer.join()

    assert (without.exit_code, told.exit_code) == (1, 0)
    assert "100 of 400 frames judged anew, 3 no longer in Kafka: 99.0% as before, 1 newly flagged, 0 no longer" in told.stdout
    assert "metal/top/s1/7: 0.2000 -> 0.8000, now flagged" in told.stdout
    [asked] = jobs.jobs("metal", JobKind.BACKTEST)
    assert (asked.plan["minutes"], asked.plan["candidate"], asked.asked_by) == (5, "cd" * 32, "token:script")
