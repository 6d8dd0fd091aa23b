"""The page of reviews in a real browser: a story by keyboard, masks to the pixel, conflicts, lost connections, blind checks, many at once."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.contract.settings import DashboardSettings, ReviewSettings
from services.records.accounts import Role
from tests.browsing import pages
from tests.conftest import make_settings
from tests.dashboard_process import dashboard_part
from tests.live_feed import CALIBRATION, SIDE
from tests.people import add_user, log_in
from tests.review_plant import ReviewPlant

BRUSH = 15
MIDDLE = (SIDE / 2, SIDE / 2)
"""Where the arrow keys begin."""

Queue = Callable[..., list[str]]
Browse = Callable[..., Any]


@pytest.fixture(scope="module")
def plant(request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewPlant]:
    """One dashboard for all tests; each has a line of its own."""
    home = tmp_path_factory.mktemp("plant")
    settings = make_settings(request, home, dashboard=DashboardSettings(port=pick_port()), review=ReviewSettings(second_share=0, blind_turns=0))
    plant = ReviewPlant(settings)
    add_user(settings, "anna", Role.SUPERVISOR)
    add_user(settings, "otto", Role.OPERATOR)
    with running(dashboard_part(settings), home / "logs"):
        yield plant
    plant.close()


@pytest.fixture
def line(plant: ReviewPlant, numbers: Iterator[int] = itertools.count(1)) -> str:
    line = f"line-{next(numbers)}"
    plant.add_line(line, line.capitalize())
    return line


@pytest.fixture
def queue(plant: ReviewPlant, line: str) -> Queue:
    """So many flagged parts on this test's line, the least certain first."""
    return lambda count: [plant.flag(line, number, score=0.6 + 0.02 * number) for number in range(1, count + 1)]


@pytest.fixture
def rest(plant: ReviewPlant) -> Iterator[httpx.Client]:
    with plant.client("reader") as client:
        yield client


@pytest.fixture
def bert(plant: ReviewPlant) -> Iterator[httpx.Client]:
    with plant.client("bert") as client:
        yield client


@pytest.fixture(scope="module")
def logins(browser: Any, plant: ReviewPlant) -> dict[str, Any]:
    """Cookies of everybody, so that not every test logs in."""
    found = {}
    for user in ("anna", "otto"):
        context = browser.new_context(base_url=_home(plant))
        log_in(context.new_page(), user)
        found[user] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def browse(browser: Any, plant: ReviewPlant, logins: dict[str, Any], line: str) -> Iterator[Browse]:
    """The queue of this test's line in a browser of its own."""
    with pages(browser, _home(plant), height=800) as opened:

        def browse(user: str = "anna") -> Any:
            page = opened(storage_state=logins[user])
            page.goto(f"/review?line={line}")
            return page

        yield browse


def test_a_story_by_keyboard(browse: Browse, queue: Queue, rest: httpx.Client) -> None:
    confirmed, fixed, good, skipped = queue(4)
    page = browse()

    _shown(page, confirmed)
    page.keyboard.press("1")
    page.wait_for_selector("[data-class=scratch][aria-pressed=true]")
    page.keyboard.press("y")
    _shown(page, fixed)
    page.keyboard.press("x")
    page.keyboard.press("2")
    _dab(page, "b", times=2)
    _dab(page, "e", times=0)
    page.keyboard.press("f")
    _shown(page, good)
    page.keyboard.press("n")
    _shown(page, skipped)
    page.keyboard.press("s")
    page.get_by_text("Nothing waits here").wait_for()
    _sent(page)

    seeded = rest.get(f"/frames/{confirmed}/seed", params={"threshold": CALIBRATION.map_threshold})
    assert _verdict(rest, confirmed) == ("defect", "scratch", "map")
    assert np.array_equal(_mask(rest, confirmed), _pixels(seeded))
    assert _verdict(rest, fixed) == ("defect", "dent", "person")
    drawn = _discs((MIDDLE[0] + step * BRUSH / 2 / 4, MIDDLE[1]) for step in range(9))
    assert np.array_equal(_mask(rest, fixed), drawn & ~_discs([(MIDDLE[0] + BRUSH, MIDDLE[1])]))
    assert _verdict(rest, good) == ("good", None, None)
    assert _verdict(rest, skipped) is None

    page.keyboard.press("u")
    _shown(page, skipped)
    page.keyboard.press("u")
    _shown(page, good)
    _sent(page)
    assert _verdict(rest, good) is None
    page.keyboard.press("y")
    _shown(page, skipped)
    _sent(page)
    assert _verdict(rest, good) == ("defect", None, "map")


def test_the_mask_follows_the_slider_as_the_server_would_make_it(browse: Browse, queue: Queue, rest: httpx.Client) -> None:
    (frame,) = queue(1)
    page = browse()
    _shown(page, frame)

    page.locator("[data-slider=threshold]").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("f")  # a key of ours, although a slider has the focus
    page.get_by_text("Nothing waits here").wait_for()
    _sent(page)

    threshold = round(CALIBRATION.map_threshold + 0.2, 2)
    assert np.array_equal(_mask(rest, frame), _pixels(rest.get(f"/frames/{frame}/seed", params={"threshold": threshold})))


def test_a_polygon_and_a_stroke_of_the_mouse_and_a_step_back(browse: Browse, queue: Queue, rest: httpx.Client) -> None:
    (frame,) = queue(1)
    page = browse()
    _shown(page, frame)
    page.keyboard.press("x")

    page.keyboard.press("p")
    for x, y in ((40, 50), (90, 50), (90, 80), (40, 80), (40, 50)):
        page.mouse.click(*_at(page, x, y))
    page.keyboard.press("b")
    page.mouse.move(*_at(page, 150, 150))
    page.mouse.down()
    page.mouse.move(*_at(page, 200, 200), steps=5)
    page.mouse.up()
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Fix and confirm").click()
    page.get_by_text("Nothing waits here").wait_for()
    _sent(page)

    drawn = np.zeros((SIDE, SIDE), bool)
    drawn[50:80, 40:90] = True
    assert np.array_equal(_mask(rest, frame), drawn)


def test_keys_rest_while_somebody_types_and_work_after_a_click(browse: Browse, queue: Queue) -> None:
    first, second = queue(2)
    page = browse()
    _shown(page, first)

    page.get_by_text("Filter").click()
    page.get_by_label("Score from").press("n")
    page.keyboard.press("Shift+?")
    assert page.locator("dialog[open]").count() == 0
    page.get_by_role("button", name="Whole picture").click()
    page.keyboard.press("Shift+?")
    page.get_by_role("heading", name="Keys").wait_for()
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    assert page.locator(".lp-review").get_attribute("data-frame") == first

    page.keyboard.press("n")

    _shown(page, second)


def test_somebody_else_was_faster_and_the_mask_is_not_lost(browse: Browse, queue: Queue, bert: httpx.Client) -> None:
    frame, other = queue(2)
    page = browse()
    _shown(page, frame)
    _dab(page, "b", times=2)
    _as_page(page, "DELETE", f"frames/{frame}/claim")
    bert.post(f"/frames/{frame}/verdict", data={"answer": "good"}).raise_for_status()

    page.keyboard.press("f")

    _shown(page, other)
    notice = page.locator("[data-notice]")
    notice.get_by_text("token:bert answered").wait_for()
    notice.get_by_text("Your mask is kept").wait_for()

    notice.get_by_role("button", name="Open it").click()
    _shown(page, frame)
    page.keyboard.press("f")
    _sent(page)

    assert _verdict(bert, frame) == ("defect", None, "person")
    assert (_mask(bert, frame) & _discs([MIDDLE])).sum() == _discs([MIDDLE]).sum()


def test_what_somebody_else_has_open_is_looked_at_and_not_answered(browse: Browse, queue: Queue, bert: httpx.Client) -> None:
    claimed, free = queue(2)
    bert.post(f"/frames/{claimed}/claim").raise_for_status()
    page = browse()
    _shown(page, free)

    page.locator(f"[role=option][data-frame='{claimed}']").click()

    _shown(page, claimed)
    page.locator(".lp-deeds").get_by_text("token:bert has it since").wait_for()
    assert page.locator("[data-deed=confirm]").is_disabled()


def test_without_a_connection_the_next_is_shown_and_answers_are_sent_once_it_is_back(browse: Browse, queue: Queue, rest: httpx.Client) -> None:
    first, second, third = queue(3)
    page = browse()
    _shown(page, first)
    page.wait_for_selector(".lp-review[data-ready='3']")
    page.context.set_offline(True)

    page.keyboard.press("y")
    _shown(page, second)  # nothing of it could be asked for now
    _dab(page, "b", times=2)
    page.keyboard.press("f")
    _shown(page, third)
    page.locator("[data-away]").get_by_text("2 answers wait").wait_for()
    assert [_verdict(rest, frame) for frame in (first, second)] == [None, None]

    page.context.set_offline(False)

    _sent(page)
    page.wait_for_selector("[data-away]", state="detached")
    assert [_verdict(rest, frame) for frame in (first, second)] == [("defect", None, "map"), ("defect", None, "person")]
    assert [len(rest.get(f"/frames/{frame}/history").json()) for frame in (first, second)] == [1, 1]


def test_drafts_and_answers_survive_a_reload(browse: Browse, queue: Queue, rest: httpx.Client) -> None:
    first, second = queue(2)
    page = browse()
    _shown(page, first)
    page.route("**/verdict", lambda route: route.abort())
    page.keyboard.press("n")
    _shown(page, second)
    page.locator("[data-away]").wait_for()
    page.keyboard.press("x")
    _dab(page, "b", times=2)
    page.wait_for_selector(".lp-review[data-draft=saved]")

    page.unroute("**/verdict")
    page.reload()

    _shown(page, second)
    _sent(page)
    page.keyboard.press("f")
    page.get_by_text("Nothing waits here").wait_for()
    _sent(page)
    assert _verdict(rest, first) == ("good", None, None)
    assert np.array_equal(_mask(rest, second), _discs((MIDDLE[0] + step * BRUSH / 2 / 4, MIDDLE[1]) for step in range(9)))


def test_a_blind_check_shows_nothing_before_and_the_truth_after(browse: Browse, plant: ReviewPlant, line: str, rest: httpx.Client) -> None:
    frame = plant.flag(line, 1, score=0.123, blind=True)
    page = browse()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()

    _shown(page, frame)
    page.get_by_role("heading", name="Blind check").wait_for()
    assert "0.12" not in page.inner_text("main")
    assert page.locator("[data-slider=threshold]").count() == 0
    assert not [url for url in asked if url.endswith(("/map", "/seed"))]
    page.keyboard.press("n")

    page.locator("[data-truth]").get_by_text("0.12").wait_for()
    said = rest.get(f"/frames/{frame}/history").json()[0]["verdict"]
    assert (said["answer"], said["blind"]) == ("good", True)
    page.get_by_role("button", name="Look at its heat map").click()
    _shown(page, frame)
    page.wait_for_function("document.querySelector('.lp-scale strong')?.innerText === '0.12'")


def test_an_operator_looks_and_does_not_answer(browse: Browse, queue: Queue, rest: httpx.Client) -> None:
    frame, _ = queue(2)
    page = browse("otto")

    _shown(page, frame)
    page.wait_for_selector("[data-readonly]")
    assert page.locator("[data-deed]").count() == 0
    page.keyboard.press("y")
    page.keyboard.press("j")

    page.wait_for_function("frame => document.querySelector('.lp-review').dataset.frame !== frame", arg=frame)
    assert _verdict(rest, frame) is None
    assert page.get_by_role("link", name="Review").get_attribute("aria-current") == "page"


def test_many_are_answered_at_once_but_no_blind_check(browse: Browse, plant: ReviewPlant, line: str, queue: Queue, rest: httpx.Client) -> None:
    frames = queue(4)
    blind = plant.flag(line, 9, blind=True)
    page = browse()
    page.wait_for_selector(".lp-canvas:not([data-frame=''])")
    page.locator(f"[role=option][data-frame='{blind}']").wait_for()

    page.keyboard.press("Control+a")
    page.get_by_text("Blind checks are answered one by one.").wait_for(state="attached")
    page.locator(f"[role=option][data-frame='{frames[3]}']").click(modifiers=["Control"])
    assert page.locator("[role=option][aria-selected=true]").count() == 3
    page.locator(".lp-picked").get_by_role("button", name="Confirm").click()
    page.get_by_role("heading", name="Confirm 3 pictures?").wait_for()
    page.get_by_role("button", name="Confirm (3)").click()

    page.wait_for_selector(".lp-picked", state="detached")
    assert [_verdict(rest, frame) for frame in frames] == [*[("defect", None, "map")] * 3, None]
    assert not page.locator(f"[role=option][data-frame='{frames[0]}']").count()


def _home(plant: ReviewPlant) -> str:
    return f"http://127.0.0.1:{plant.settings.dashboard.port}"


def _at(page: Any, x: float, y: float) -> tuple[float, float]:
    """A place of the picture, on the screen."""
    room = page.locator(".lp-canvas").bounding_box()
    scale = min(room["width"], room["height"]) / SIDE
    return room["x"] + room["width"] / 2 + (x - SIDE / 2) * scale, room["y"] + room["height"] / 2 + (y - SIDE / 2) * scale


def _as_page(page: Any, method: str, path: str) -> None:
    """Over REST, as the page's own user."""
    call = (
        "async ([method, path]) => (await fetch(path, { method, headers: { 'x-csrf-token': document.querySelector('meta[name=loupe-csrf]').content } })).status"
    )
    assert page.evaluate(call, [method, f"/api/v1/review/{path}"]) < 300


def _shown(page: Any, frame_id: str) -> None:
    """Painted, and loaded whole."""
    page.wait_for_selector(f".lp-canvas[data-frame='{frame_id}']")


def _sent(page: Any) -> None:
    page.wait_for_selector(".lp-review[data-waiting='0']")


def _dab(page: Any, tool: str, *, times: int) -> None:
    """Puts the tool down on the picture, moves it to the right so often, and lifts it."""
    page.keyboard.press(tool)
    page.locator(".lp-canvas").focus()
    for key in ("Enter", *["ArrowRight"] * times, "Enter"):
        page.keyboard.press(key)


def _verdict(rest: httpx.Client, frame_id: str) -> tuple[str, str | None, str | None] | None:
    """What counts: answer, class, and where its mask is from."""
    verdicts = [given["verdict"] for given in rest.get(f"/frames/{frame_id}/history").json() if given["current"]]
    found = verdicts[-1] if verdicts and verdicts[-1]["answer"] != "withdrawn" else None
    return (found["answer"], found.get("defect_class"), found.get("mask_source")) if found else None


def _mask(rest: httpx.Client, frame_id: str) -> np.ndarray:
    return _pixels(rest.get(f"/frames/{frame_id}/mask"))


def _pixels(answer: httpx.Response) -> np.ndarray:
    mask = cv2.imdecode(np.frombuffer(answer.raise_for_status().content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    return np.asarray(mask > 127)


def _discs(centres: Any) -> np.ndarray:
    """Pixels whose centre is within a brush around any of these points: (x, y)."""
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    return np.any([(columns - x) ** 2 + (rows - y) ** 2 <= (BRUSH / 2) ** 2 for x, y in centres], axis=0)
