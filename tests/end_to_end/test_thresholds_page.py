"""Thresholds in a real browser: a handle is moved by hand and by key, what is applied judges at once, and the second of two people is told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.contract.settings import DashboardSettings
from services.contract.verdict import Answer
from services.records.accounts import Role
from services.records.audit import Actor
from services.records.database import Database
from services.results.active import get_active
from services.results.archive import Archive
from services.results.connection import connect
from services.review.desk import Desk
from services.review.verdicts import Said
from tests.browsing import pages
from tests.conftest import make_settings
from tests.dashboard_process import dashboard_part
from tests.live_feed import CALIBRATION, MODEL, LiveFeed
from tests.people import add_user, log_in

PARTS = 60
PAGE = "/line/bolts/thresholds"
PEOPLE = {"anna": Role.SUPERVISOR, "berta": Role.SUPERVISOR, "otto": Role.OPERATOR}


@pytest.fixture
def plant(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[LiveFeed]:
    settings = make_settings(request, tmp_path, dashboard=DashboardSettings(port=pick_port()))
    feed = LiveFeed(settings, {"bolts": "Bolts"})
    feed.prepare()
    feed.records.add_calibration("bolts", MODEL, CALIBRATION, {"rates": {"review": 0.01, "fail": 0.001}, "promised": {"review": 0.009, "fail": 0.008}})
    feed.records.activate("bolts", MODEL, CALIBRATION.calibration_id, by="loupe.toml")
    made = [one for _ in range(PARTS) for one in feed.step()]
    database = Database(settings.records_url)
    desk = Desk.of(settings, database, Archive(settings))
    for number, one in enumerate(one for one in made if one.flagged):
        desk.verdicts.give(one.frame_id, Said(answer=Answer.GOOD if number % 3 == 0 else Answer.DEFECT), Actor("berta", "supervisor"))
    database.close()
    for name, role in PEOPLE.items():
        add_user(settings, name, role)
    with running(dashboard_part(settings), tmp_path / "logs"):
        yield feed
    feed.stop()


@pytest.fixture
def page_of(browser: Any, plant: LiveFeed) -> Iterator[Callable[[str], Any]]:
    """A browser of somebody who has logged in and opened the page."""
    with pages(browser, f"http://127.0.0.1:{plant.settings.dashboard.port}", width=1440) as opened:

        def page_of(name: str) -> Any:
            page = opened()
            log_in(page, name)
            page.goto(PAGE)
            page.wait_for_selector("[data-handle=fail]")
            return page

        yield page_of


def test_a_supervisor_drags_a_threshold_and_the_second_one_is_told(plant: LiveFeed, page_of: Callable[[str], Any]) -> None:
    anna, berta = page_of("anna"), page_of("berta")

    _drag(anna, "review", by_px=-120)
    anna.get_by_label("Reason").fill("a scratch went by")
    anna.wait_for_selector("[data-preview=review] .lp-big >> text=(now")
    dragged = _value(anna, "review")
    anna.get_by_role("button", name="Apply").click()

    anna.wait_for_selector(".lp-history tbody tr:first-child >> text=a scratch went by")
    now = get_active(connect(plant.settings), plant.settings.names, "bolts")
    assert now is not None
    assert now.calibration is not None
    assert now.calibration.fail == CALIBRATION.fail
    assert now.calibration.review == pytest.approx(dragged, abs=0.01)
    assert now.calibration.review < CALIBRATION.review
    assert anna.locator(".lp-history tbody tr").count() == 2

    berta.locator("[data-handle=fail]").press("PageUp")
    berta.get_by_label("Reason").fill("too many rejects")
    berta.get_by_role("button", name="Apply").click(no_wait_after=True)
    berta.wait_for_selector("[data-conflict] >> text=/changed.*meanwhile/")
    assert "anna" in berta.locator("[data-conflict]").inner_text()
    assert get_active(connect(plant.settings), plant.settings.names, "bolts") == now

    berta.get_by_role("button", name="Show theirs").click()
    berta.wait_for_selector(".lp-history tbody tr:first-child >> text=a scratch went by")
    berta.locator(".lp-history tbody tr").nth(1).get_by_role("button", name="Go back").click()
    berta.get_by_role("dialog").get_by_role("button", name="Go back").click()
    berta.wait_for_function("document.querySelectorAll('.lp-history tbody tr').length === 3")
    back = get_active(connect(plant.settings), plant.settings.names, "bolts")
    assert back is not None
    assert back.calibration == CALIBRATION


def test_handles_move_by_key_and_never_pass_each_other(page_of: Callable[[str], Any]) -> None:
    page = page_of("anna")
    review = page.locator("[data-handle=review]")

    start = _value(page, "review")
    review.press("ArrowRight")
    assert start < _value(page, "review") < start + 0.03
    review.press("End")
    assert _value(page, "review") < _value(page, "fail")
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("start => Number(document.querySelector('[data-handle=review]').getAttribute('aria-valuenow')) === start", arg=start)


def test_an_operator_sees_the_thresholds_and_moves_none(page_of: Callable[[str], Any]) -> None:
    page = page_of("otto")

    before = _value(page, "fail")
    page.locator("[data-handle=fail]").press("PageUp")
    _drag(page, "fail", by_px=80)

    assert _value(page, "fail") == before
    assert page.get_by_role("button", name="Apply").count() == 0
    assert page.locator("[data-handle=fail]").get_attribute("aria-disabled") == "true"


def _value(page: Any, handle: str) -> float:
    return float(page.locator(f"[data-handle={handle}]").get_attribute("aria-valuenow"))


def _drag(page: Any, handle: str, *, by_px: int) -> None:
    box = page.locator(f"[data-handle={handle}] i").bounding_box() or page.locator(f"[data-handle={handle}]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by_px / 2, y)
    page.mouse.move(x + by_px, y)
    page.mouse.up()
