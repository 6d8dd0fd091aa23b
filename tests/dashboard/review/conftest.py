"""Flagged frames, a blind check among them, and supervisors who answer them over REST."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from services.contract.inspection import Archived, Calibration, Decision, Inspection
from services.contract.settings import ReviewSettings, Settings
from services.dashboard.application import create_app
from services.dashboard.parts import Parts
from services.dashboard.people import People
from services.records.accounts import Role
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from tests.dashboard.conftest import ADDRESS, TEST
from tests.dashboard.makers import inspection
from tests.review.makers import drawn, hot_map

REVIEW = "/api/v1/review"
JPEG = cv2.imencode(".jpg", np.full((80, 100, 3), 120, np.uint8))[1].tobytes()
OTHER_JPEG = cv2.imencode(".jpg", np.full((80, 100, 3), 60, np.uint8))[1].tobytes()
MASK = drawn(100, 80, box=(10, 10, 20, 5))
TOLD = {"score": 0.123456, "model_version": "the-model-of-the-blind-check", "calibration_id": "c-blind"}
"""Found nowhere else."""
BLIND_MAP = hot_map(peak=211)

Person = Callable[[str], httpx.AsyncClient]


@pytest.fixture
def plant_settings(plant_settings: Settings) -> Settings:
    return plant_settings.model_copy(update={"review": ReviewSettings(second_share=0, blind_turns=0, mask_max_mb=0.01)})


@pytest.fixture
async def person(parts: Parts, people: People) -> AsyncIterator[Person]:
    """A supervisor of that name; `operator` is one."""
    opened: dict[str, httpx.AsyncClient] = {}
    transport = httpx.ASGITransport(app=create_app(parts), raise_app_exceptions=False)

    def of(name: str) -> httpx.AsyncClient:
        if name not in opened:
            role = Role.OPERATOR if name == "operator" else Role.SUPERVISOR
            headers = {"authorization": f"Bearer {people.logins.add_token(name, role, by=TEST)}"}
            opened[name] = httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=headers)
        return opened[name]

    yield of
    for one in opened.values():
        await one.aclose()


@pytest.fixture
def flag(records: Records, archive: Archive, desk: Desk) -> Callable[..., Inspection]:
    records.add_line("bolts")
    records.add_calibration("bolts", "m1", Calibration(calibration_id="c1", review=0.4, fail=0.7))
    desk.reviews.set_defect_classes("bolts", {"scratch": "Scratch", "dent": "Dent"}, by=TEST)

    def make(number: int, **fields: Any) -> Inspection:
        defaults: dict[str, Any] = {"decision": Decision.REVIEW, "score": 0.5, "model_version": "m1", "calibration_id": "c1"}
        kept = Archived(reason="flagged", probability=1, frame_path=archive.put("frames", JPEG), map_path=archive.put("maps", hot_map()))
        one = inspection(number, **{**defaults, "archived": kept, **fields})
        records.flagged.add([one])
        return one

    return make


@pytest.fixture
def frame(flag: Callable[..., Inspection]) -> str:
    return f"{REVIEW}/frames/{flag(1).frame_id}"


@pytest.fixture
def blind(flag: Callable[..., Inspection], archive: Archive) -> Inspection:
    kept = Archived(reason="blind-check", probability=0.01, frame_path=archive.put("frames", OTHER_JPEG), map_path=archive.put("maps", BLIND_MAP))
    return flag(7, decision=Decision.PASS, archived=kept, **TOLD)
