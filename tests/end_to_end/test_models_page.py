"""Models in a real browser: what judges and what might with its figures, two versions beside each other, and the way back with a reason."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from models.registry import Registry, shipped
from services.contract.settings import DashboardSettings, Settings
from services.records.accounts import Role
from services.records.audit import Actor, Audit
from services.records.database import Database
from services.records.jobs import Jobs, Trigger
from services.records.judging import Judging
from services.records.migrations import migrate
from services.records.store import JudgedBy, Records
from tests.browsing import Open, pages
from tests.builders import make_calibration
from tests.conftest import make_settings
from tests.dashboard_process import dashboard_part
from tests.people import add_user, log_in
from tests.standing_replica import standing_replica

ANNA = Actor("anna", "supervisor")
NEXT, BAD = "cd" * 32, "ef" * 32
PROMISE = {"groups": 300, "frames": 2400, "rates": {"review": 0.01, "fail": 0.001}, "promised": {"review": 0.0094, "fail": 0.0099}}


class ModelsPlant:
    """A line that two versions judged, one after the other; the trainer made the second, and a candidate that the gate refused. Another line has none."""

    def __init__(self, settings: Settings) -> None:
        migrate(settings.records_url)
        self.settings, self.records, self._database = settings, Records(settings.records_url), Database(settings.records_url)
        self.jobs, self.judging, self.audit = Jobs(self._database), Judging(self._database), Audit(self._database)
        self.first = Registry(settings.models_path).add(shipped("demo")).id
        self.records.add_line("bolts", name="Bolts", judged_by=JudgedBy(self.first, make_calibration(), PROMISE), by=ANNA)
        self.records.add_line("nuts", name="Nuts", by=ANNA)
        self.made = self._finished(NEXT, self.first, "passed", 0.03)
        self.judging.promote("bolts", NEXT, make_calibration(calibration_id="c2", review=0.35), PROMISE, over=self.first, by=ANNA, reason="the gate passed it")
        self._finished(BAD, NEXT, "refused", -0.08)

    def close(self) -> None:
        self._database.close()
        self.records.close()

    def _finished(self, candidate: str, champion: str, answer: str, better: float) -> str:
        job, _ = self.jobs.ask("bolts", Trigger.CLICK, ANNA)
        self.jobs.claim("trainer", timedelta(minutes=1))
        self.jobs.settle(job.id, "trainer", {"dataset": "da" * 32, "champion": champion})
        values = {"image_auroc": 0.91, "image_ap": 0.83, "pixel_ap": 0.52, "recall": 0.9, "false_rejects": 0.06}
        moved = {name: value - better if name == "false_rejects" else value + better for name, value in values.items()}
        told = {name: {"champion": values[name], "candidate": moved[name], "difference": better, "interval": None} for name in values}
        shares = {name: told.pop(name) for name in ("recall", "false_rejects")}
        gate = {"answer": answer, "reasons": [f"pixel_ap: moved by {better:g}"], "measures": told, **shares}
        self.jobs.finish(job.id, "trainer", {"candidate": candidate, "champion": champion, "gate": gate})
        return job.id


@pytest.fixture(scope="module")
def plant(request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelsPlant]:
    folder = tmp_path_factory.mktemp("plant")
    settings = make_settings(request, folder, dashboard=DashboardSettings(port=pick_port()))
    plant = ModelsPlant(settings)
    add_user(settings, "anna", Role.SUPERVISOR)
    add_user(settings, "otto", Role.OPERATOR)
    with standing_replica(settings), running(dashboard_part(settings), folder / "logs"):
        yield plant
    plant.close()


@pytest.fixture
def opened(browser: Any, plant: ModelsPlant) -> Iterator[Open]:
    with pages(browser, f"http://127.0.0.1:{plant.settings.dashboard.port}") as opened:
        yield opened


def models_of(opened: Open, name: str, query: str = "") -> Any:
    page = opened()
    log_in(page, name)
    page.goto(f"/models{query}")
    page.wait_for_selector(".lp-models[data-read=true]")
    return page


def test_the_table_tells_states_figures_and_where_each_came_from(opened: Open, plant: ModelsPlant) -> None:
    page = models_of(opened, "otto")

    states = {row.get_attribute("data-version"): row.get_attribute("data-state") for row in page.locator("[data-line=bolts] tr[data-version]").all()}
    assert states == {BAD: "refused", NEXT: "judges", plant.first: "judged"}
    judges = page.locator(f"tr[data-version='{NEXT}']")
    assert [cell.inner_text() for cell in judges.locator("[data-measure]").all()] == ["0.940", "0.860", "0.550", "3.0 %", "93.0 %"]
    assert page.locator(f"tr[data-version='{plant.first}'] [data-measure=pixel_ap]").inner_text() == "0.520"
    assert judges.get_by_role("link").get_attribute("href") == f"/training?job={plant.made}"
    assert NEXT[:12] in page.locator("[data-where=bolts]").inner_text()
    assert "No model judges it" in page.locator("[data-where=nuts]").inner_text()
    assert page.get_by_role("button", name="Roll back").count() == 0
    assert page.get_by_role("switch", name="Promote automatically on Bolts").is_disabled()
    assert page.evaluate("[...document.querySelectorAll('.lp-scroll')].every(one => one.scrollWidth <= one.clientWidth)")  # no column is out of sight


def test_a_version_is_opened_beside_the_table_and_stays_in_the_address(opened: Open, plant: ModelsPlant) -> None:
    page = models_of(opened, "anna", "?line=bolts")
    assert page.locator("[data-line=nuts]").count() == 0

    page.locator(f"tr[data-version='{plant.first}'] button").press("Enter")

    beside = page.locator(f"[data-opened='{plant.first}'][data-found=true]")
    beside.wait_for()
    assert "no line" in beside.inner_text()
    assert "at most 0.9 % of good parts" in beside.locator("[data-activation]").inner_text()
    assert "brushed-metal" in beside.inner_text()
    page.reload()
    page.wait_for_selector(f"[data-opened='{plant.first}'][data-found=true]")

    page.locator(f"tr[data-version='{NEXT}'] button").press("Enter")

    page.locator("[role=alert]").get_by_text("not among").wait_for()  # its files are nowhere here, and the page says so


def test_two_versions_are_compared_on_the_same_parts(opened: Open, plant: ModelsPlant) -> None:
    page = models_of(opened, "otto")

    for version in (plant.first, NEXT):
        page.get_by_role("checkbox", name=f"Compare {version[:12]}").press("Space")

    page.wait_for_selector(f"[data-pair='{plant.first} {NEXT}'][data-same=true]")
    compared = page.get_by_role("region", name="Comparison")
    assert compared.get_by_role("row", name="Pixel AP").inner_text().split() == ["Pixel", "AP", "0.520", "0.550", "better"]
    assert compared.get_by_role("row", name="Good parts flagged").inner_text().split()[-5:] == ["6.0", "%", "3.0", "%", "better"]

    page.get_by_role("checkbox", name=f"Compare {BAD[:12]}").press("Space")

    page.wait_for_selector(f"[data-pair='{NEXT} {BAD}'][data-same=true]")


def test_the_switch_is_kept_and_the_way_back_needs_a_reason(opened: Open, plant: ModelsPlant) -> None:
    page = models_of(opened, "anna")
    page.get_by_role("switch", name="Promote automatically on Bolts").press("Space")
    page.get_by_text("Bolts: promotes by itself").wait_for()
    assert plant.records.line("bolts").promote_automatically
    page.get_by_role("switch", name="Promote automatically on Bolts").press("Space")
    page.get_by_text("Bolts: waits for a click").wait_for()

    page.get_by_role("button", name="Roll back Bolts").press("Enter")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Enter")
    assert page.locator("dialog[open]").count() == 1  # no reason yet
    page.keyboard.type("too many false rejects")
    page.keyboard.press("Enter")

    page.wait_for_selector(f"tr[data-version='{plant.first}'][data-state=judges]")
    page.wait_for_selector(f"tr[data-version='{NEXT}'][data-state=judged]")
    assert plant.records.active("bolts").model_version == plant.first
    [deed] = plant.audit.deeds(action="model.rollback")
    assert (deed.user, deed.subject, deed.details["model_to"], deed.details["reason"]) == ("anna", "bolts", plant.first, "too many false rejects")

    page.get_by_role("button", name=NEXT[:12]).first.press("Enter")
    page.get_by_role("button", name="Roll back to it").press("Enter")
    page.locator("dialog[open] input").fill("it was better after all")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"tr[data-version='{NEXT}'][data-state=judges]")
    assert plant.records.active("bolts").model_version == NEXT
    page.get_by_text("Loaded just now: replica 1").wait_for()
