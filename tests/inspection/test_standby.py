"""What is on standby is loaded, tested once, held while it is wanted, and answered for; what is broken is an answer, not a failure."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from services.inspection.errors import ModelUnavailableError
from services.inspection.standby import Standby
from services.inspection.versions import Versions
from services.results.standby import Report


class Plant:
    """Redis and a registry, in memory."""

    def __init__(self, *, most: int = 8) -> None:
        self.wanted: set[str] = set()
        self.said: dict[str, Report] = {}
        self.loaded: list[str] = []
        self.tested: list[str] = []
        self.versions = Versions(self._load, most=most)
        self.standby = Standby(self.versions, wanted=self._wanted, check=self._check, report=self._report)

    async def _wanted(self) -> set[str]:
        return set(self.wanted)

    async def _load(self, version: str) -> str:
        self.loaded.append(version)
        if version == "missing":
            raise ModelUnavailableError("model missing: no such folder")
        return version.upper()

    async def _check(self, version: str, model: str) -> None:
        self.tested.append(version)
        if version == "other-scores":
            raise ValueError("00.png: expected a score within 0.001 of 0.5, got 0.9")

    async def _report(self, reports: Mapping[str, Report]) -> None:
        self.said.update(reports)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                await self.standby.look()
                await asyncio.sleep(0)


@pytest.fixture
async def plant() -> Plant:
    return Plant(most=1)


async def test_it_is_tested_once_and_held_whatever_else_is_used_until_nobody_wants_it(plant: Plant) -> None:
    plant.wanted = {"v2"}
    await plant.until(lambda: "v2" in plant.said)

    await plant.until(lambda: plant.said["v2"].error is None)
    for other in ("a", "b"):
        async with plant.versions.use(other):
            pass
    assert "v2" in plant.versions.loaded()
    plant.wanted = set()
    await plant.standby.look()
    plant.said.clear()
    plant.wanted = {"v2"}
    await plant.until(lambda: "v2" in plant.said)
    assert plant.tested == ["v2"]

    plant.wanted = set()
    await plant.standby.look()
    await asyncio.sleep(0)
    async with plant.versions.use("a"):
        pass
    assert plant.versions.loaded() == ["a"]


@pytest.mark.parametrize(("version", "words"), [("missing", "no such folder"), ("other-scores", "expected a score")])
async def test_what_is_broken_is_said_and_tried_again_only_when_it_is_wanted_anew(plant: Plant, version: str, words: str) -> None:
    plant.wanted = {version, "v2"}
    await plant.until(lambda: plant.said.keys() == {version, "v2"})
    for _ in range(3):
        await plant.standby.look()

    assert words in (plant.said[version].error or "")
    assert plant.said["v2"].error is None
    assert plant.loaded.count(version) == 1


async def test_preloading_ends_when_all_on_standby_has_an_answer(plant: Plant) -> None:
    plant.wanted = {"missing", "v2"}

    await plant.standby.settled()

    assert plant.said.keys() == {"missing", "v2"}
