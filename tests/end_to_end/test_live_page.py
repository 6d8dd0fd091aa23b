"""Live and Line in a real browser: the dashboard's own process over a real Redis, fed as recorder and frame consumers would feed it."""

import re
from collections.abc import Iterator
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
from tests.live_feed import LiveFeed
from tests.people import add_user, log_in

LINES = {"bolts": "Bolts", "nuts": "Nuts"}


@pytest.fixture
def plant(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[LiveFeed]:
    settings = make_settings(request, tmp_path, dashboard=DashboardSettings(port=pick_port()))
    feed = LiveFeed(settings, LINES)
    feed.prepare()
    add_user(settings, "anna", Role.OPERATOR)
    with running(dashboard_part(settings), tmp_path / "logs"):
        feed.run(frames_per_s=4)
        yield feed
        feed.stop()


@pytest.fixture
def page(browser: Any, plant: LiveFeed) -> Iterator[Any]:
    with pages(browser, f"http://127.0.0.1:{plant.settings.dashboard.port}") as opened:
        page = opened()
        log_in(page, "anna")
        yield page


def test_the_wall_shows_what_comes_and_says_when_nothing_does(page: Any, plant: LiveFeed) -> None:
    page.goto("/")

    frames = _values(page, ".lp-tile[data-line=bolts] canvas", "frame", 3)
    assert all(frame.startswith("bolts/cam1/") for frame in frames)
    for decision, word in (("fail", "NG"), ("pass", "OK")):
        page.wait_for_function(
            "([decision, word]) => document.querySelector(`.lp-tile[data-line=bolts][data-decision=${decision}] header .lp-chip`)?.innerText.trim() === word",
            arg=[decision, word],
        )
    page.wait_for_function("Object.values(document.querySelectorAll('.lp-tile canvas')).every(canvas => canvas.dataset.heat)")
    _until_text(page, ".lp-figures > div:first-child dd", "2")
    page.wait_for_selector(".lp-flagged a[data-frame]")

    plant.silent.add("nuts")

    page.wait_for_selector(".lp-tile[data-line=nuts][data-state=no-signal]")
    _until_text(page, ".lp-tile[data-line=nuts] .lp-veil strong", "NO SIGNAL")
    _until_text(page, ".lp-figures > div:first-child dd", "1")
    assert page.locator(".lp-tile[data-line=bolts]").get_attribute("data-state") == "live"
    banner = page.locator(".lp-banners [data-alarm=nuts]")
    assert "Nuts: no signal" in banner.inner_text()
    banner.get_by_role("button").press("Enter")
    banner.wait_for(state="detached")

    plant.silent.clear()

    page.wait_for_selector(".lp-tile[data-line=nuts][data-state=live]")
    page.wait_for_function("sessionStorage.getItem('loupe-put-away') === '[]'")  # the next time it is told again


def test_a_line_shows_its_picture_and_any_of_its_last_parts(page: Any, plant: LiveFeed) -> None:
    page.goto("/line/bolts")
    _values(page, "canvas", "frame", 2)

    page.locator(".lp-bars").hover()  # which makes them stand still
    opened = page.locator(".lp-bars button.lp-bad").last
    frame_id = opened.get_attribute("data-frame")
    opened.click()

    live = page.get_by_role("button", name="Back to live")
    live.wait_for()  # the canvas alone does not tell: the part may be the latest one too
    page.wait_for_url(re.compile(r"\?part=bolts%2Fcam1"))
    page.wait_for_selector(f"canvas[data-frame='{frame_id}']")
    _until_text(page, ".lp-stage .lp-large", "NG")
    heated = _warm_pixels(page)
    page.locator(".lp-slider input").fill("0")
    page.wait_for_selector("canvas[data-opacity='0']")
    assert _warm_pixels(page) < heated / 4

    live.click()

    _values(page, "canvas", "frame", 2)
    assert page.locator("h1").all_inner_texts() == ["Bolts"]
    assert page.locator("main, [role=main]").count() == 1


def _values(page: Any, selector: str, name: str, count: int) -> list[str]:
    """Different values that a data attribute takes, one after the other, until there are `count`."""
    found: list[str] = []
    for _ in range(count):
        page.wait_for_function(
            "([selector, name, known]) => { const value = document.querySelector(selector)?.dataset[name]; return value && !known.includes(value); }",
            arg=[selector, name, found],
        )
        found.append(page.locator(selector).first.get_attribute(f"data-{name}"))
    return found


def _until_text(page: Any, selector: str, text: str) -> None:
    page.wait_for_function("([selector, text]) => document.querySelector(selector)?.innerText.trim() === text", arg=[selector, text])


def _warm_pixels(page: Any) -> int:
    """Pixels of the canvas that are clearly more red than blue: the parts are grey, so only the heat map is."""
    count: int = page.evaluate(
        """() => {
            const canvas = document.querySelector("canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let warm = 0;
            for (let at = 0; at < data.length; at += 4) warm += data[at] - data[at + 2] > 60;
            return warm;
        }"""
    )
    return count
