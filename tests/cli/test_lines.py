"""`loupe line`: a changeover, the share of blind checks and a line's first model from a shell, over the REST of a dashboard that runs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.cli import app
from services.contract.settings import DashboardSettings, RedisSettings, Settings
from services.records.accounts import Role
from services.records.database import Database
from services.records.jobs import Jobs
from services.records.store import Records
from tests.dashboard_process import dashboard_part
from tests.databases import with_tables
from tests.people import bearer
from tests.recorded_frames import record_frames

NEW = "brushed-metal"
"""A line without a model, for which the shipped detector has a calibration."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Redis is away: the records decide, and the recorder brings the live value there later."""
    made = Settings(
        home=tmp_path_factory.mktemp("lines"), redis=RedisSettings(url=f"redis://127.0.0.1:{pick_port()}/0"), dashboard=DashboardSettings(port=pick_port())
    )
    with_tables(made.records_url)
    records = Records(made.records_url)
    records.add_line("ceramic-tile")
    records.add_line(NEW)
    records.close()
    with running(dashboard_part(made), tmp_path_factory.mktemp("logs")):
        yield made


@pytest.fixture(autouse=True)
def here(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    token = bearer(settings, Role.SUPERVISOR, "script")["authorization"].removeprefix("Bearer ")
    for name, value in {"HOME": settings.home, "DASHBOARD__PORT": settings.dashboard.port, "DASHBOARD__TOKEN": token}.items():
        monkeypatch.setenv(f"LOUPE_{name}", str(value))


def loupe(*words: str) -> Result:
    return CliRunner().invoke(app, ["line", *words])


def test_a_changeover_to_a_product_with_a_model_of_its_own(settings: Settings) -> None:
    done = loupe("product", "ceramic-tile", "azulejo", "--model", "demo", "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["product"] == "azulejo"
    records = Records(settings.records_url)
    active = records.active("ceramic-tile")
    records.close()
    assert active.judging
    assert (active.product, set(active.products)) == ("azulejo", {"azulejo"})


def test_a_share_of_blind_checks_is_set_and_taken_back() -> None:
    assert "5 % of passed frames" in loupe("set", "ceramic-tile", "--blind-check-rate", "0.05").stdout
    assert "as the settings say" in loupe("set", "ceramic-tile", "--default").stdout


def test_a_line_promotes_by_itself_or_by_a_click() -> None:
    assert "is promoted by itself" in loupe("set", "ceramic-tile", "--promote-automatically").stdout
    assert "is promoted by itself" in loupe("set", "ceramic-tile", "--default").stdout
    assert "is promoted by a click" in loupe("set", "ceramic-tile", "--promote-by-hand").stdout


def test_frames_are_collected_and_trained_from_and_nothing_is_put_to_work_before_replicas_tested_it(settings: Settings) -> None:
    frames = record_frames(settings, NEW, 61, first_at=datetime.now(UTC) - timedelta(hours=1))
    shown, early = loupe("collect", NEW), loupe("start", NEW, "--reason", "none yet")
    loupe("collect", NEW, "--drop", frames[0])
    kept, asked = loupe("collect", NEW, "--keep-all"), loupe("train", NEW, "--json")
    database = Database(settings.records_url)
    Jobs(database).claim("trainer", timedelta(seconds=30))
    Jobs(database).finish(json.loads(asked.stdout)["id"], "trainer", {"candidate": "demo"})
    database.close()

    assert frames[-1] in shown.stdout
    assert (early.exit_code, "expected a first training that has finished" in early.output) == (1, True)
    assert "60 kept, 1 thrown out; enough for `loupe line train" in kept.stdout
    assert json.loads(asked.stdout)["plan"]["frames"] == 60
    assert loupe("start", NEW, "--reason", "forty parts by hand").exit_code == 1  # Redis is away, so that no replica can be asked


@pytest.mark.parametrize("words", [("set", "ceramic-tile"), ("product", "ceramic-tile"), ("product", "ceramic-tile", "x", "--none"), ("product", "nuts", "x")])
def test_what_makes_no_sense_changes_nothing(words: tuple[str, ...]) -> None:
    assert loupe(*words).exit_code != 0
