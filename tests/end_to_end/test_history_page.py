"""History in a real browser: search, open and export what was inspected days ago, with the keyboard; a blind check tells nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.contract.settings import DashboardSettings
from services.records.accounts import Role
from tests.browsing import pages
from tests.conftest import make_settings
from tests.dashboard_process import dashboard_part
from tests.history_plant import HistoryPlant
from tests.people import add_user, log_in

UNNAMED = """[...document.querySelectorAll('.lp-page :is(input, select, button, a)')]
    .filter(one => !(one.labels?.length || one.ariaLabel || one.innerText.trim())).length"""


@pytest.fixture
def plant(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[HistoryPlant]:
    settings = make_settings(request, tmp_path, dashboard=DashboardSettings(port=pick_port()))
    made = HistoryPlant(settings)
    add_user(settings, "anna", Role.SUPERVISOR)
    made.fill(120, until=datetime.now(UTC) - timedelta(minutes=2))
    with running(dashboard_part(settings), tmp_path / "logs"):
        yield made
    made.close()


@pytest.fixture
def page(browser: Any, plant: HistoryPlant) -> Iterator[Any]:
    with pages(browser, f"http://127.0.0.1:{plant.settings.dashboard.port}") as opened:
        page = opened()
        log_in(page, "anna")
        yield page


def test_whatever_was_inspected_is_found_opened_and_exported(page: Any, plant: HistoryPlant) -> None:
    page.goto("/history")
    _rows(page, 50)
    page.get_by_role("button", name="Older ones").click()
    _rows(page, 100)
    page.wait_for_function("failed => document.querySelector('.lp-counts output').innerText === `120, ${failed} NG`", arg=plant.failed)

    page.get_by_label("Result").select_option("decision=fail")

    _rows(page, plant.failed)
    assert set(page.locator("tbody td:nth-child(2) .lp-chip").all_inner_texts()) == {"NG"}
    page.locator("tbody button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f"canvas[data-frame='{_chosen(page)}']")
    first = _chosen(page)
    page.keyboard.press("ArrowDown")
    page.wait_for_function("first => document.querySelector('.lp-chosen')?.dataset.frame !== first", arg=first)
    page.wait_for_selector(f"canvas[data-frame='{_chosen(page)}']")
    assert page.locator(".lp-opened .lp-slider").count() == 1  # its heat map is still kept

    page.reload()

    page.wait_for_selector(f"canvas[data-frame='{_chosen(page)}']")
    _rows(page, plant.failed)
    assert page.get_by_role("link", name="Review", exact=True).last.get_attribute("href").startswith("/review?frame=")
    with page.expect_download() as csv:
        page.get_by_role("link", name="CSV").click()
    assert len(Path(csv.value.path()).read_text().splitlines()) == plant.failed + 1
    page.get_by_role("button", name="Close").press("Escape")
    page.wait_for_function("!document.querySelector('.lp-opened')")


def test_a_blind_check_tells_nothing(page: Any, plant: HistoryPlant) -> None:
    page.goto(f"/history?frame={plant.blind}")

    page.wait_for_selector(f"canvas[data-frame='{plant.blind}']")
    assert page.locator(".lp-opened .lp-large").inner_text().strip() == "Blind check"
    assert "shown once it is answered" in page.locator(".lp-opened").inner_text()
    assert page.locator(".lp-opened .lp-slider").count() == 0
    facts = dict(zip(page.locator(".lp-facts dt").all_inner_texts(), page.locator(".lp-facts dd").all_inner_texts(), strict=True))
    assert {facts[name] for name in ("Score", "Model", "Calibration", "Picture kept")} == {"–"}


def test_the_page_is_one_that_everybody_can_use(page: Any, plant: HistoryPlant) -> None:
    page.goto("/history")
    _rows(page, 50)

    assert page.locator("h1").all_inner_texts() == ["History"]
    assert page.locator("main, [role=main]").count() == 1
    assert page.evaluate(UNNAMED) == 0
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")


def _rows(page: Any, count: int) -> None:
    page.wait_for_function("count => Number(document.querySelector('.lp-history')?.dataset.read) === count", arg=count)


def _chosen(page: Any) -> str:
    page.wait_for_selector("tr.lp-chosen")
    frame: str = page.locator("tr.lp-chosen").get_attribute("data-frame")
    return frame


def test_an_answered_part_is_made_golden_and_ordinary_again_by_keyboard(page: Any, plant: HistoryPlant) -> None:
    page.goto(f"/history?frame={plant.answered}")
    page.wait_for_selector(f"canvas[data-frame='{plant.answered}']")

    golden = page.get_by_role("button", name="Golden", exact=True)
    for pressed in ("true", "false"):
        golden.press("Enter")
        page.keyboard.press("Escape")  # closes the question, not the part
        golden.press("Enter")
        page.locator("dialog[open] input").fill("the faintest that we reject")
        page.keyboard.press("Enter")
        page.wait_for_selector(f".lp-opened [aria-pressed={pressed}]")
