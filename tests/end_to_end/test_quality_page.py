"""Quality in a real browser, and in a terminal: shares with their intervals, by line and shift; figures of people for admins alone."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.cli import app
from services.contract.settings import DashboardSettings, Settings
from services.records.accounts import Role
from tests.browsing import Open, pages
from tests.conftest import make_settings
from tests.dashboard_process import dashboard_part
from tests.history_plant import LINES, HistoryPlant
from tests.people import add_user, bearer, log_in


@pytest.fixture(scope="module")
def settings(request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("plant")
    settings = make_settings(request, folder, dashboard=DashboardSettings(port=pick_port()))
    plant = HistoryPlant(settings)
    add_user(settings, "anna", Role.SUPERVISOR)
    add_user(settings, "ada", Role.ADMIN)
    plant.fill(120, until=datetime.now(UTC) - timedelta(minutes=2))
    with running(dashboard_part(settings), folder / "logs"):
        yield settings
    plant.close()


@pytest.fixture
def opened(browser: Any, settings: Settings) -> Iterator[Open]:
    with pages(browser, f"http://127.0.0.1:{settings.dashboard.port}") as opened:
        yield opened


def test_lines_and_shifts_are_told_with_their_intervals(opened: Open) -> None:
    page = opened()
    log_in(page, "anna")
    page.goto("/quality")

    page.wait_for_selector(f".lp-quality[data-read='{len(LINES)}']")
    shown = page.locator("tr[data-line=bolts] [data-share=wrong_flags]")
    value, low, _, high = shown.inner_text().replace("%", "").split()[:4]
    assert float(low) < float(value) < float(high)
    assert "no blind checks" in page.locator("tr[data-line=bolts] [data-share=escapes]").inner_text()
    assert page.locator("tr[data-shift]").count() > len(LINES)
    assert page.get_by_role("heading", name="People").count() == 0

    page.get_by_role("combobox", name="Line").select_option("nuts")

    page.wait_for_selector(".lp-quality[data-read='1'] tr[data-line=nuts]")
    with page.expect_download() as csv:
        page.get_by_role("link", name="CSV").click()
    assert csv.value.suggested_filename == "loupe-quality.csv"


def test_only_admins_see_figures_of_people(opened: Open) -> None:
    page = opened()
    log_in(page, "ada")
    page.goto("/quality")

    page.wait_for_selector("tr[data-person=bert]")
    page.context.clear_cookies()
    log_in(page, "anna")
    assert page.request.get("/api/v1/quality/people").status == 403


def test_the_same_in_a_terminal(settings: Settings) -> None:
    token = bearer(settings, Role.OPERATOR, "script")["authorization"].removeprefix("Bearer ")
    environment = {"LOUPE_HOME": str(settings.home), "LOUPE_DASHBOARD__PORT": str(settings.dashboard.port), "LOUPE_DASHBOARD__TOKEN": token}

    rows = json.loads(CliRunner().invoke(app, ["quality", "bolts", "--json"], env=environment).stdout)
    shown = CliRunner().invoke(app, ["quality", "--by-shift"], env={**environment, "COLUMNS": "200"}).stdout

    assert [row["line"] for row in rows] == ["bolts"]
    assert rows[0]["wrong_flags"]["low"] < rows[0]["wrong_flags"]["value"] < rows[0]["wrong_flags"]["high"]
    assert "flagged for nothing" in shown
    assert "nuts" in shown
