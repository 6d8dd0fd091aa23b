"""What Loupe is for, on the stack that people start: flagged parts are answered by keyboard, a model learns from them, and judges without a frame lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from kafka import KafkaConsumer

from infra.embedded.control import start_detached
from services.contract.inspection import Inspection, Outcome
from services.ingest.synthetic.line import SyntheticLine
from tests.browsing import pages
from tests.loupe_stack import endpoints, environment, loupe, running, stack_home, status, wait_for
from tests.people import PASSWORD, log_in

CONFIGURATION = """
[ray]
object_store_mb = 100
num_gpus = 0
[inspector]
max_replicas = 1
[kafka]
partitions = 1
[dataset]
calibration_share = 0.6
held_out_share = 0.1
[review]
second_share = 0
blind_turns = 0
[retraining]
after_verdicts = 0
budget = 0.15
[[lines]]
id = "brushed-metal"
model = "demo"
[[lines.cameras]]
id = "cam-1"
source = "synthetic:brushed-metal?fps=2&defects=0.4&seed=70001"
"""
GOOD, DEFECTIVE = 600, 200
"""Groups of the past: a tenth of them measures, where the gate's default rule asks for 20 good and 10 defective ones. Most of the rest
calibrates. The budget is what a candidate needs to be no worse: after a third of it, one good part in 400 may still look like a scratch, and
the threshold that must stand above that part passes real ones."""
ANSWERED = 10
LINE = "brushed-metal"
PATIENCE_S = 1500


@pytest.fixture(scope="module")
def stack() -> Iterator[Path]:
    with stack_home(CONFIGURATION) as home:
        start_detached(home, environment(home))
        yield home


def write_history(folder: Path) -> Path:
    """What people found on this line before there was Loupe."""
    parts = SyntheticLine("brushed-metal", 70_002)
    for number in range(GOOD):
        write(folder / "test" / "good" / f"{number:03}.png", parts.good(number).image)
    for number in range(GOOD, GOOD + DEFECTIVE):
        part = parts.defective(number)
        write(folder / "test" / part.kind / f"{number:03}.png", part.image)
        write(folder / "ground_truth" / part.kind / f"{number:03}_mask.png", part.mask)
    return folder


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


def test_ten_answers_become_the_model_that_judges_without_a_frame_lost(stack: Path, browser: Any, tmp_path: Path) -> None:
    assert loupe(stack, "dataset", "import", LINE, "--data", str(write_history(tmp_path / "history"))).returncode == 0
    assert loupe(stack, "user", "add", "anna", "--role", "supervisor", "--password-stdin", said=PASSWORD).returncode == 0
    before = status(stack)["lines"][0]["model_version"]
    with pages(browser, running(stack).addresses["dashboard"]) as opened:
        page = opened()
        log_in(page, "anna")

        page.goto(f"/review?line={LINE}")
        answer(page)

        page.goto("/training")
        page.get_by_role("button", name=f"Retrain {LINE}").press("Enter")
        page.get_by_role("link", name="Retraining").press("Enter")
        page.set_default_timeout(PATIENCE_S * 1000)
        page.wait_for_selector(".lp-training[data-state=finished] [data-answer]")
        assert page.locator("[data-answer]").get_attribute("data-answer") == "passed", page.locator(".lp-gate").inner_text()

        sent = status(stack)["ledger"]["sent"]
        page.get_by_role("button", name="Promote").press("Enter")
        page.locator("dialog[open]").get_by_role("button", name="Promote").press("Enter")
        page.get_by_text("judges brushed-metal now").wait_for()
        page.goto("/")
        page.wait_for_selector(f".lp-tile[data-model]:not([data-model='{before}'])[data-state=live]")

        judged = [one for one in inspections(stack, after=sent) if one.outcome is Outcome.INSPECTED]
    after = status(stack)["lines"][0]["model_version"]
    versions = [one.model_version for one in judged]
    assert versions == [before] * versions.count(before) + [after] * versions.count(after)  # one camera's frames keep their order: one flip, and no way back
    assert versions[-1] == after
    ledger = status(stack)["ledger"]
    assert ledger["balanced"]
    assert [ledger[name] for name in ("failed", "late", "expired")] == [0, 0, 0]


def answer(page: Any) -> None:
    """Ten flagged parts by keyboard, the first with a mask that the person drew."""
    answered: list[str] = []
    while len(answered) < ANSWERED:
        page.wait_for_function("seen => (here => here && !seen.includes(here))(document.querySelector('.lp-review')?.dataset.frame)", arg=answered)
        frame = page.locator(".lp-review").get_attribute("data-frame")
        page.wait_for_selector(f".lp-canvas[data-frame='{frame}']")
        if not answered:
            for key in ("x", "b"):
                page.keyboard.press(key)
            page.locator(".lp-canvas").focus()
            for key in ("Enter", "ArrowRight", "ArrowRight", "Enter"):
                page.keyboard.press(key)
        page.keyboard.press("y" if answered else "f")
        answered.append(frame)
    page.wait_for_selector(".lp-review[data-waiting='0']")


def inspections(stack: Path, *, after: int) -> list[Inspection]:
    """Of the frames from this offset on, once the new model has judged some of them: the first inspection of each, none missing."""
    found: dict[int, Inspection] = {}
    consumer = KafkaConsumer("inspections", bootstrap_servers=endpoints(stack)["kafka"]["bootstrap_servers"], auto_offset_reset="earliest")

    def both_have_judged() -> bool:
        for batch in consumer.poll(timeout_ms=500).values():
            for record in batch:
                one = Inspection.from_json(record.value)
                found.setdefault(one.source.offset, one)
        return len({one.model_version for offset, one in found.items() if offset >= after}) == 2

    try:
        wait_for(both_have_judged)
    finally:
        consumer.close()
    offsets = sorted(offset for offset in found if offset >= after)
    assert offsets == list(range(after, after + len(offsets)))
    return [found[offset] for offset in offsets]
