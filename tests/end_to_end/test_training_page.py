"""Training in a real browser: what runs with its curve and log, what the gate said with pictures, and who may do what about it."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.contract.settings import DashboardSettings
from services.records.accounts import Role
from tests.browsing import Open, pages
from tests.conftest import make_settings
from tests.dashboard_process import dashboard_part
from tests.people import add_user, log_in
from tests.training_plant import TrainingPlant


@pytest.fixture(scope="module")
def plant(request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingPlant]:
    folder = tmp_path_factory.mktemp("plant")
    settings = make_settings(request, folder, dashboard=DashboardSettings(port=pick_port()))
    plant = TrainingPlant(settings)
    add_user(settings, "anna", Role.SUPERVISOR)
    add_user(settings, "otto", Role.OPERATOR)
    with running(dashboard_part(settings), folder / "logs"):
        yield plant
    plant.close()


@pytest.fixture
def opened(browser: Any, plant: TrainingPlant) -> Iterator[Open]:
    with pages(browser, f"http://127.0.0.1:{plant.settings.dashboard.port}") as opened:
        yield opened


def test_what_runs_is_seen_with_its_curve_and_log_and_can_be_cancelled(opened: Open, plant: TrainingPlant) -> None:
    page = opened()
    log_in(page, "anna")
    page.goto("/training")
    page.get_by_text("Fine maps, step 50 of 200 · 2.5 steps/s · 60 s left of this stage").wait_for()

    page.locator(f"[data-row='{plant.runs}'] a").press("Enter")

    page.wait_for_selector(f".lp-training[data-job='{plant.runs}'][data-state=running]")
    page.get_by_role("img", name="Loss: detection to step 400, upsampling to step 50; now 0.0286").wait_for()
    page.get_by_text("Log").press("Enter")
    assert "upsampling 50/200" in page.locator(".lp-log").inner_text()

    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel it").click()

    page.get_by_text("is being cancelled").wait_for()
    assert plant.jobs.job(plant.runs).cancel_asked_by == "anna"


def test_a_refused_candidate_is_explained_by_pictures_and_cannot_be_promoted(opened: Open, plant: TrainingPlant) -> None:
    page = opened()
    log_in(page, "anna")
    page.goto(f"/training?job={plant.refused}")

    page.wait_for_selector("[data-answer=refused]")
    changes = page.locator("[data-change]")
    assert [text.split()[0] for text in changes.all_inner_texts()] == ["Defect:", "Good"]
    page.wait_for_function("[...document.querySelectorAll('[data-change] img')].every(one => one.complete && one.naturalWidth > 0)")
    assert page.locator("[data-barred]").inner_text() == "The gate refused it."
    assert page.get_by_role("button", name="Promote").count() == 0


def test_what_cannot_be_told_needs_a_reason_and_replicas_that_test_it(opened: Open, plant: TrainingPlant) -> None:
    page = opened()
    log_in(page, "anna")
    page.goto(f"/training?job={plant.untold}")
    page.wait_for_selector("[data-answer='insufficient evidence']")

    page.get_by_role("button", name="Promote").click()
    assert page.locator("dialog[open]").count() == 0  # the browser asks for the reason first
    page.get_by_label("Why").fill("seen on forty parts by hand")
    page.get_by_role("button", name="Promote").click()
    page.locator("dialog[open]").get_by_role("button", name="Promote").click()

    page.get_by_role("alert").wait_for()  # no inspection runs here, and the candidate's files are nowhere
    assert plant.review.records.active("nuts").model_version != plant.jobs.job(plant.untold).result["candidate"]


def test_a_backtest_tells_how_the_last_minutes_would_have_gone_and_a_click_asks_for_one(opened: Open, plant: TrainingPlant) -> None:
    page = opened()
    log_in(page, "anna")
    page.goto(f"/training?job={plant.backtest}")

    told = page.locator("[data-backtest]")
    told.get_by_role("heading", name="75.0 % decided alike").wait_for()
    assert "4 of 9 frames judged anew: 1 newly flagged, 0 no longer flagged." in told.inner_text()
    assert told.get_by_role("link").get_attribute("href") == "/history?frame=nuts%2Fcam1%2Fs1%2F0"

    page.goto(f"/training?job={plant.untold}")
    page.get_by_role("button", name="Try on the last 15 min").press("Enter")

    page.get_by_text("A backtest").or_(page.get_by_role("alert")).first.wait_for()


def test_an_operator_looks_and_a_click_asks_for_a_retraining(opened: Open, plant: TrainingPlant) -> None:
    page = opened()
    log_in(page, "otto")
    page.goto("/training")
    page.wait_for_selector("[data-line=bolts]")
    assert page.get_by_role("button", name="Retrain").count() == 0

    page.context.clear_cookies()
    log_in(page, "anna")
    page.goto("/training")
    page.get_by_role("button", name="Retrain Bolts").press("Enter")

    page.wait_for_selector("[data-told]")
    assert plant.jobs.jobs("bolts")[0].state.open
