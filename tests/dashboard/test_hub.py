"""One hub, many pages: what each gets, and what it gets when the live view is away."""

import asyncio
from contextlib import suppress
from typing import Any

import httpx
import pytest

from services.contract.inspection import Decision
from services.dashboard.hub import Hub, Look, Viewer
from services.dashboard.packets import unpack
from services.dashboard.parts import Parts
from services.records.store import Records
from services.results.live import Counts
from services.results.pictures import Preview
from tests.dashboard.conftest import NOW, MemoryStore
from tests.dashboard.makers import inspection


class Page:
    """A page that takes every packet and remembers the last of each kind."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.viewer, self.kinds = hub, hub.join(), dict[str, Any]()
        self.pictures: list[str] = []

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(5):
            while not condition():
                head, jpeg, _ = unpack(await self.viewer.next())
                self.kinds[head["kind"]] = head
                if jpeg:
                    self.pictures.append(head["part"]["frame_id"])


@pytest.fixture
async def hub(parts: Parts, records: Records, store: MemoryStore) -> Any:
    records.add_line("bolts", name="Bolts")
    store.inspections["bolts"] = [inspection(number, ago_s=1 - number / 10) for number in range(5)]
    running = asyncio.create_task(parts.hub.run())
    yield parts.hub
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_page_gets_the_wall(hub: Hub) -> None:
    page = Page(hub)

    await page.until(lambda: page.kinds.get("wall", {}).get("signal"))

    assert [(line["id"], line["state"]) for line in page.kinds["wall"]["lines"]] == [("bolts", "live")]


async def test_only_lines_that_somebody_looks_at_are_watched_and_only_to_them_pictures_go(hub: Hub, store: MemoryStore) -> None:
    looking, elsewhere = Page(hub), Page(hub)
    await looking.until(lambda: looking.kinds.get("wall", {}).get("signal"))

    hub.turn(looking.viewer, Look(pictures=frozenset({"bolts", "no-such-line"})))
    store.shown["bolts"] = Preview(inspection(7), b"jpeg", b"png")
    await looking.until(lambda: looking.pictures)
    await elsewhere.until(lambda: "wall" in elsewhere.kinds)

    assert looking.pictures == ["bolts/cam1/s1/7"]
    assert not elsewhere.pictures
    async with asyncio.timeout(5):
        await store.was_watched.wait()
    assert store.watched == {"bolts"}


async def test_a_page_of_a_line_gets_its_parts_as_they_come(hub: Hub, store: MemoryStore) -> None:
    page = Page(hub)
    hub.turn(page.viewer, Look(line="bolts"))
    await page.until(lambda: page.kinds.get("parts", {}).get("parts"))

    store.inspections["bolts"].append(inspection(9, decision=Decision.FAIL))
    await page.until(lambda: page.kinds["parts"]["parts"][-1]["frame_id"].endswith("/9"))

    assert page.kinds["parts"]["parts"][-1]["decision"] == "fail"


async def test_nothing_old_is_shown_while_the_live_view_is_away(hub: Hub, store: MemoryStore) -> None:
    page = Page(hub)
    await page.until(lambda: page.kinds.get("wall", {}).get("signal"))

    store.away = True
    await page.until(lambda: page.kinds["wall"]["signal"] is False)

    wall = page.kinds["wall"]
    assert wall["reason"]
    assert [(line["state"], line["frames_per_s"]) for line in wall["lines"]] == [("no-signal", None)]
    assert wall["totals"]["lag"] is None

    store.away = False
    await page.until(lambda: page.kinds["wall"]["signal"])


async def test_flagged_parts_come_from_the_records(hub: Hub, records: Records) -> None:
    records.flagged.add([inspection(3, decision=Decision.FAIL)])
    page = Page(hub)

    await page.until(lambda: page.kinds.get("wall", {}).get("flagged"))

    assert page.kinds["wall"]["flagged"][0]["frame_id"] == "bolts/cam1/s1/3"


async def test_a_slow_page_sees_the_newest_picture_only() -> None:
    viewer = Viewer()
    for number in range(100):
        viewer.offer("picture:bolts", b"%d" % number)
    viewer.offer("wall", b"wall")

    assert [await viewer.next(), await viewer.next()] == [b"99", b"wall"]
    assert not viewer._packets


async def test_a_hidden_page_gets_nothing() -> None:
    viewer = Viewer()
    viewer.look = Look(hidden=True)

    viewer.offer("wall", b"wall")

    assert not viewer._packets


async def test_many_more_rejects_than_before_are_an_alarm(hub: Hub, store: MemoryStore, client: httpx.AsyncClient) -> None:
    now = int(NOW // 60)
    for minute in range(now - 40, now + 1):
        failed = 12 if minute > now - 5 else 1
        store.counts["bolts", minute] = Counts({"inspected": 60, "decision:fail": failed})
    page = Page(hub)

    await page.until(lambda: any("NG" in alarm["text"] for alarm in page.kinds.get("wall", {}).get("alarms", ())))

    [alarm] = (await client.get("/api/v1/alarms")).json()
    assert alarm == {"line": "bolts", "text": "Bolts: 20.0% NG, 1.7% in the hour before", "severity": "bad"}


async def test_where_the_live_view_is_away_that_is_the_alarm(store: MemoryStore, client: httpx.AsyncClient) -> None:
    store.away = True

    alarms = (await client.get("/api/v1/alarms")).json()

    assert len(alarms) == 1
