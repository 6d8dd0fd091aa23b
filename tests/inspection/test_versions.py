"""Models are loaded once, kept while in use, and a failed load is tried again."""

import asyncio

import pytest

from services.inspection.versions import Versions


class Loader:
    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.fails = False

    async def __call__(self, version: str) -> str:
        self.loaded.append(version)
        await asyncio.sleep(0)
        if self.fails:
            raise ValueError("no such model")
        return version.upper()


async def use(versions: Versions[str], version: str) -> str:
    async with versions.use(version) as model:
        await asyncio.sleep(0)
        return model


async def test_many_that_ask_at_once_wait_for_one_load() -> None:
    loader = Loader()
    versions = Versions(loader)

    found = await asyncio.gather(*(use(versions, "a") for _ in range(5)))

    assert found == ["A"] * 5
    assert loader.loaded == ["a"]


async def test_the_least_recently_used_one_is_dropped_first() -> None:
    versions = Versions(Loader(), most=2)

    for version in ("a", "b", "a", "c"):
        await use(versions, version)

    assert versions.loaded() == ["a", "c"]


async def test_one_in_use_is_never_dropped() -> None:
    versions = Versions(Loader(), most=1)

    async with versions.use("a"):
        await use(versions, "b")
        assert "a" in versions.loaded()
    assert versions.loaded() == ["a"]


async def test_a_failed_load_is_told_to_all_and_tried_again_by_the_next() -> None:
    loader = Loader()
    versions = Versions(loader)
    loader.fails = True

    failures = await asyncio.gather(use(versions, "a"), use(versions, "a"), return_exceptions=True)
    loader.fails = False

    assert all(isinstance(failure, ValueError) for failure in failures)
    assert await use(versions, "a") == "A"


async def test_whoever_gives_up_waiting_does_not_stop_the_load() -> None:
    loader = Loader()
    versions = Versions(loader)

    impatient = asyncio.create_task(use(versions, "a"))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient

    assert await use(versions, "a") == "A"
    assert loader.loaded == ["a"]
