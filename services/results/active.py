"""`active:{line}`: the ONE value that says what judges a line now, flipped at once and rebuilt from SQL by the recorder."""

from collections.abc import Iterable

from services.contract.inspection import Active
from services.contract.names import Names
from services.results.connection import AsyncRedis, Redis


def get_active(redis: Redis, names: Names, line: str) -> Active | None:
    """None: nobody said yet (a new line, or Redis was emptied a moment ago)."""
    return _parsed(redis.get(names.active(line)))


async def get_active_async(redis: AsyncRedis, names: Names, line: str) -> Active | None:
    return _parsed(await redis.get(names.active(line)))


def get_actives(redis: Redis, names: Names, lines: Iterable[str]) -> dict[str, Active]:
    """Those lines that have a value, in one round trip."""
    wanted = list(lines)
    values = redis.mget([names.active(line) for line in wanted]) if wanted else []
    return {line: Active.model_validate_json(value) for line, value in zip(wanted, values, strict=True) if value is not None}


async def get_actives_async(redis: AsyncRedis, names: Names, lines: Iterable[str]) -> dict[str, Active]:
    wanted = list(lines)
    values = await redis.mget([names.active(line) for line in wanted]) if wanted else []
    return {line: Active.model_validate_json(value) for line, value in zip(wanted, values, strict=True) if value is not None}


def set_active(redis: Redis, names: Names, active: Active) -> None:
    redis.set(names.active(active.line), active.model_dump_json())


def remove_active(redis: Redis, names: Names, line: str) -> None:
    """The line is no more."""
    redis.delete(names.active(line))


def _parsed(value: bytes | None) -> Active | None:
    return None if value is None else Active.model_validate_json(value)
