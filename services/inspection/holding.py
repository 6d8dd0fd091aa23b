"""Which model versions this replica has loaded -> Redis, so that people see what runs where."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

log = logging.getLogger(__name__)

SAY_EVERY_S = 2.0


async def say_again_and_again(loaded: Callable[[], Sequence[str]], say: Callable[[Sequence[str]], Awaitable[None]]) -> None:
    """For as long as the replica lives. Redis away: the next time may find it."""
    while True:
        try:
            await say(loaded())
        except Exception as error:
            log.debug("holding: %s", error)
        await asyncio.sleep(SAY_EVERY_S)
