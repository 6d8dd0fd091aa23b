"""Lines in a real browser: one is added, its good frames are kept by the keyboard, a first training is asked for, and what came of it put to work."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from models.registry import Registry, shipped
from services.contract.settings import DashboardSettings, Settings
from services.ingest.synthetic.parts import GoodParts
from services.records.accounts import Role
from services.records.database import Database
from services.records.jobs import Jobs
from services.records.migrations import migrate
from services.records.store import Records
from tests.browsing import Open, pages
from tests.conftest import make_settings
from tests.dashboard_process import dashboard_part
from tests.people import add_user, log_in
from tests.recorded_frames import record_frames
from tests.standing_replica import standing_replica

LINE = "brushed-metal"
"""One that the shipped detector has a calibration for."""
FRAMES, SHOWN = 64, 60


@pytest.fixture(scope="module")
def settings(request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("plant")
    settings = make_settings(request, folder, dashboard=DashboardSettings(port=pick_port()))
    migrate(settings.records_url)
    add_user(settings, "ada", Role.ADMIN)
    add_user(settings, "otto", Role.OPERATOR)
    with standing_replica(settings), running(dashboard_part(settings), folder / "logs"):
        yield settings


@pytest.fixture
def opened(browser: Any, settings: Settings) -> Iterator[Open]:
    with pages(browser, f"http://127.0.0.1:{settings.dashboard.port}") as opened:
        yield opened


def test_a_line_is_born_from_its_own_stream(opened: Open, settings: Settings) -> None:
    page = opened()
    log_in(page, "ada")
    page.goto("/lines")
    add(page)
    page.wait_for_selector(f"[data-birth={LINE}][data-read='0']")
    parts = GoodParts(LINE, 90_003)
    frames = record_frames(settings, LINE, FRAMES, first_at=datetime.now(UTC) - timedelta(minutes=5), photograph=lambda number: parts.good(number).image)
    choose(page, frames)

    page.get_by_role("button", name="Start the first training").click()

    page.get_by_text("It waits for its turn").wait_for()
    candidate = finish(settings)
    page.wait_for_selector(".lp-birth[data-job=finished]")
    assert "with 95 % confidence" in page.locator("[data-promises]").inner_text()
    page.get_by_label("Reason").fill("forty parts seen by hand")
    page.get_by_role("button", name="Put to work").press("Enter")
    page.get_by_text("Brushed metal is judged from now on.").wait_for()
    assert judged_by(settings) == candidate


def add(page: Any) -> None:
    """With two mistakes first."""
    page.get_by_role("button", name="New line").press("Enter")
    for field, text in {"id": "Brushed Metal", "name": "Brushed metal", "camera": "top", "source": "floder:/data"}.items():
        page.locator(f"#lp-new-{field}").fill(text)
    page.locator("#lp-new-source").press("Enter")
    page.locator("#lp-wrong-id").wait_for()
    assert "expected 1-40 characters" in page.locator("#lp-wrong-id").inner_text()
    assert "expected folder:" in page.locator("#lp-wrong-source").inner_text()
    assert page.evaluate("document.activeElement.id") == "lp-new-id"
    page.locator("#lp-new-id").fill(LINE)
    page.locator("#lp-new-source").fill("push:")
    page.locator("#lp-new-source").press("Enter")


def choose(page: Any, frames: list[str]) -> None:
    """By the keyboard: two thrown out, one of them taken back, all others kept."""
    page.wait_for_selector(f"[data-birth][data-read='{SHOWN}']")
    newest = frames[::-1]
    page.locator(".lp-frame").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.wait_for_selector(f"[data-frame='{newest[1]}'][data-kept=false]")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    page.wait_for_selector(f"[data-frame='{newest[0]}'][data-kept=false]")
    page.keyboard.press("Space")
    page.wait_for_selector(f"[data-frame='{newest[0]}'][data-kept=true]")
    page.get_by_text("keep 59 more").wait_for()
    assert page.get_by_role("button", name="Start the first training").is_disabled()
    page.get_by_role("button", name="Older ones").click()
    page.wait_for_selector(f"[data-birth][data-read='{FRAMES}']")
    page.get_by_role("button", name="Keep all shown").click()
    page.get_by_text(f"{FRAMES - 1} kept of 60 needed, 1 thrown out").wait_for()
    page.wait_for_function("[...document.querySelectorAll('.lp-frame img')].some(one => one.complete && one.naturalWidth > 0)")


def finish(settings: Settings) -> str:
    """The training, as the trainer does, with the shipped detector."""
    version, database = Registry(settings.models_path).add(shipped("demo")), Database(settings.records_url)
    jobs = Jobs(database)
    job = jobs.claim("trainer", timedelta(seconds=30))
    assert job is not None
    doubted = [path.rpartition("/")[2] for paths in list(job.plan["frames"].values())[:2] for path in paths]
    told = {"calibration": version.suggested_calibration(LINE), "teaching": 50, "calibrating": 13, "doubted": doubted}
    jobs.finish(job.id, "trainer", {"candidate": version.id, **told})
    database.close()
    return version.id


def judged_by(settings: Settings) -> str | None:
    records = Records(settings.records_url)
    active = records.active(LINE)
    records.close()
    return active.model_version


def test_an_operator_sees_lines_and_changes_none_on_a_phone_too(opened: Open, settings: Settings) -> None:
    records = Records(settings.records_url)
    records.add_line("wood", cameras={"top": "push:"})
    records.close()
    record_frames(settings, "wood", 3, first_at=datetime.now(UTC) - timedelta(minutes=5))
    page = opened()
    log_in(page, "otto")
    page.goto("/lines?line=wood")

    page.wait_for_selector("[data-birth=wood][data-read='3']")
    page.locator(".lp-frame").first.press("Space")
    assert page.get_by_role("button", name="New line").count() == 0
    assert page.get_by_role("button", name="Start the first training").count() == 0
    assert page.locator("[data-kept=null]").count() == 3
    assert page.locator("h1").all_inner_texts() == ["Lines"]
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
