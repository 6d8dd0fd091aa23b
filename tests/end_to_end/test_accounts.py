"""Accounts in a real browser: the first login, users and the audit, and pages that leave when their login ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.accounts import first_password
from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.contract.settings import DashboardSettings, Settings
from services.records.accounts import FIRST_ADMIN, Role
from services.records.migrations import migrate
from tests.browsing import WITHIN_MS, Open, pages
from tests.conftest import make_settings
from tests.dashboard_process import dashboard_part
from tests.people import PASSWORD, TEST, add_user, log_in, people_of


@pytest.fixture
def plant(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Settings:
    settings = make_settings(request, tmp_path, dashboard=DashboardSettings(port=pick_port()))
    migrate(settings.records_url)
    return settings


@pytest.fixture
def served(plant: Settings, tmp_path: Path) -> Iterator[Settings]:
    with running(dashboard_part(plant), tmp_path / "logs"):
        yield plant


@pytest.fixture
def browse(browser: Any, plant: Settings) -> Iterator[Open]:
    with pages(browser, f"http://127.0.0.1:{plant.dashboard.port}") as opened:
        yield opened


def test_the_first_admin_chooses_a_password_and_lets_somebody_in(plant: Settings, browse: Open, tmp_path: Path) -> None:
    password = first_password(plant)
    assert password is not None
    with running(dashboard_part(plant), tmp_path / "logs"):
        page = browse()
        page.goto("/users")
        page.wait_for_url("**/login?next=/users")
        log_in(page, FIRST_ADMIN, password)
        page.wait_for_url("**/password")
        for label, text in (("Present password", password), ("New password", PASSWORD), ("The new one again", PASSWORD)):
            page.get_by_label(label).fill(text)
        page.get_by_role("button", name="Change it").click()
        page.wait_for_selector(".lp-masthead")

        page.get_by_role("link", name="Users").click()
        form = page.locator("form.lp-adder").first
        form.get_by_label("Name").fill("otto")
        form.get_by_role("button", name="Add user").click()
        given = page.locator(".lp-once code").inner_text()

        other = browse()
        log_in(other, "otto", given)
        other.wait_for_url("**/password")

        page.get_by_role("link", name="Audit").click()
        page.wait_for_selector("tr[data-action='user.add'] >> text=otto")
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        assert "user.add" in download.value.path().read_text()


def test_an_operator_sees_the_wall_and_neither_users_nor_audit(served: Settings, browse: Open) -> None:
    add_user(served, "otto", Role.OPERATOR)
    page = browse()

    log_in(page, "otto")

    page.wait_for_selector(".lp-menu")
    assert page.get_by_role("link", name="Users").count() == 0
    for path in ("/users", "/audit"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 403
        assert "expected role admin" in page.inner_text("main")


def test_open_pages_leave_when_an_admin_disables_their_user(served: Settings, browse: Open) -> None:
    add_user(served, "anna", Role.ADMIN)
    add_user(served, "otto", Role.OPERATOR)
    page, his = browse(), browse()
    log_in(page, "anna")
    log_in(his, "otto")
    his.wait_for_selector(".lp-masthead")

    page.goto("/users")
    page.locator("[data-user=otto]").get_by_role("button", name="Disable").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()

    his.wait_for_url("**/login?next=*")
    page.wait_for_selector("[data-user=otto] >> text=Disabled")


def test_logging_out_ends_the_other_tabs_too(served: Settings, browse: Open) -> None:
    add_user(served, "otto", Role.OPERATOR)
    page = browse()
    log_in(page, "otto")
    tab = page.context.new_page()
    tab.goto("/")
    tab.wait_for_selector(".lp-masthead")

    page.get_by_label("You: otto, operator").click()
    page.get_by_role("button", name="Log out").click()

    page.wait_for_url("**/login")
    tab.wait_for_url("**/login?next=*", timeout=WITHIN_MS)


def test_a_login_that_ended_while_the_dashboard_was_away_leaves_no_page_hanging(plant: Settings, browse: Open, tmp_path: Path) -> None:
    add_user(plant, "otto", Role.OPERATOR)
    page = browse()
    with running(dashboard_part(plant), tmp_path / "logs"):
        log_in(page, "otto")
        page.wait_for_selector(".lp-masthead")
    with people_of(plant) as people:
        people.logins.close_all("otto", by=TEST)

    with running(dashboard_part(plant), tmp_path / "logs"):
        page.wait_for_url("**/login?next=*")

        log_in(page, "otto")
        page.wait_for_selector(".lp-masthead")
