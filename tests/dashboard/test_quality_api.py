"""Over REST: how well a line was judged, by line and shift, from answers in the records and counts in the history."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from services.contract.inspection import Decision
from services.contract.settings import Settings, SiteSettings
from services.contract.verdict import Answer
from services.dashboard.parts import Parts
from services.dashboard.shifts import Shifts
from services.records.audit import Actor
from tests.dashboard.test_history_api import NOON, Kept

PERIOD = {"since": (NOON - timedelta(hours=1)).isoformat(), "until": (NOON + timedelta(hours=12)).isoformat()}
LATER = 4 * 3600
"""Seconds after noon: in the shift that begins at two."""


@pytest.fixture
def kept(plant_settings: Settings, parts: Parts) -> Iterator[Kept]:
    """Eight passed parts, one of them a blind check, and two flagged ones; and one flagged in the next shift."""
    made = Kept(plant_settings, parts)
    passed = [made.made(number, decision=Decision.PASS, score=0.1, reason="blind-check" if number == 3 else None) for number in range(8)]
    flagged = [made.made(number, decision=Decision.FAIL, score=0.9, reason="flagged") for number in (8, 9, LATER)]
    made.add(*passed, *flagged)
    made.answer(3, blind=True)
    made.answer(8)
    made.answer(9, Answer.DEFECT, by=Actor("bert", "supervisor"))
    yield made
    made.close()


async def rows(client: httpx.AsyncClient, **asked: Any) -> Any:
    answer = await client.get("/api/v1/quality", params={**PERIOD, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_line_is_told_with_its_intervals(client: httpx.AsyncClient, kept: Kept) -> None:
    [row] = await rows(client)

    assert (row["line"], row["shift"], row["passed"], row["flagged"]) == ("metal", None, 8, 3)  # the blind check among the passed
    assert (row["confirmed"], row["corrected"], row["good"]) == (1, 0, 2)
    assert (row["wrong_flags"]["value"], row["wrong_flags"]["answers"]) == (0.5, 2)
    assert (row["escapes"]["value"], row["escapes"]["answers"]) == (0, 1)
    assert row["false_rejects"]["value"] == pytest.approx(1.5 / 9.5)


async def test_each_shift_has_its_own_row_the_latest_first(client: httpx.AsyncClient, kept: Kept) -> None:
    found = await rows(client, by="shift")

    assert [(row["shift"], row["passed"], row["flagged"], row["confirmed"] + row["good"]) for row in found] == [
        ("2026-03-02T14:00:00Z", 0, 1, 0),
        ("2026-03-02T06:00:00Z", 8, 2, 3),
    ]


async def test_other_lines_and_longer_periods(client: httpx.AsyncClient, kept: Kept) -> None:
    assert await rows(client, line="wood") == []
    refused = await client.get("/api/v1/quality", params={"since": (NOON - timedelta(days=40)).isoformat(), "until": NOON.isoformat()})
    assert refused.status_code == 422
    assert "up to 31 days" in refused.json()["detail"]


async def test_the_same_as_csv(client: httpx.AsyncClient, kept: Kept) -> None:
    answer = await client.get("/api/v1/quality.csv", params=PERIOD)

    [row] = csv.DictReader(answer.text.splitlines())
    assert (row["line"], row["passed"], row["wrong_flags"], row["escapes"]) == ("metal", "8", "0.5", "0.0")
    assert float(row["wrong_flags_low"]) < 0.5 < float(row["wrong_flags_high"])


async def test_people_are_told_apart(client: httpx.AsyncClient, kept: Kept) -> None:
    found = (await client.get("/api/v1/quality/people", params=PERIOD)).json()

    assert [(one["name"], one["answers"], one["defects"]) for one in found] == [("anna", 2, 0), ("bert", 1, 1)]


@pytest.mark.parametrize(
    ("moment", "start"),
    [
        ("2026-03-02T05:59:59+01:00", "2026-03-01T22:00:00+01:00"),
        ("2026-03-02T06:00:00+01:00", "2026-03-02T06:00:00+01:00"),
        ("2026-03-02T23:30:00+01:00", "2026-03-02T22:00:00+01:00"),
        ("2026-03-29T05:00:00+02:00", "2026-03-28T22:00:00+01:00"),  # an hour shorter: the clock was put forward
    ],
)
def test_a_moment_belongs_to_the_shift_by_the_plants_clock(moment: str, start: str) -> None:
    shifts = Shifts((time(6), time(14), time(22)), ZoneInfo("Europe/Berlin"))

    assert shifts.start(datetime.fromisoformat(moment).astimezone(UTC)) == datetime.fromisoformat(start)


@pytest.mark.parametrize("shifts", [[], ["6:00"], ["24:00"], ["14:00", "06:00"], ["06:00", "06:00"]])
def test_shifts_that_are_none_are_refused(shifts: list[str]) -> None:
    with pytest.raises(ValueError, match="shifts"):
        SiteSettings(shifts=tuple(shifts))
