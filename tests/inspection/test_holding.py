"""A replica says what it has loaded, again and again, whatever becomes of Redis meanwhile."""

import asyncio
from collections.abc import Sequence

import pytest

from services.inspection import holding


async def test_what_is_loaded_is_said_again_after_redis_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "SAY_EVERY_S", 0)
    loaded, said, heard = ["v1"], list[list[str]](), asyncio.Event()

    async def say(versions: Sequence[str]) -> None:
        said.append(list(versions))
        if len(said) == 1:
            loaded.append("v2")
            raise ConnectionError("connection refused")
        heard.set()

    saying = asyncio.create_task(holding.say_again_and_again(lambda: loaded, say))
    async with asyncio.timeout(5):
        await heard.wait()
    saying.cancel()

    assert said[:2] == [["v1"], ["v1", "v2"]]
