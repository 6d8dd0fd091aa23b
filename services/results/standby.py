"""`standby` and `standby:{version}`: model versions that every Inspector replica shall hold for a while, and what each replica says of them.

Moments are by Redis' own clock, so that no two machines need to agree on the time.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.contract.names import Names
from services.results.connection import AsyncRedis

REPORTS_TTL_S = 60


class Report(BaseModel):
    """What came of loading and testing a version on one replica."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    error: str | None = Field(default=None, description="why it cannot judge there; none: it is ready")
    seconds: float = Field(default=0.0, description="that loading and testing took")


async def want(redis: AsyncRedis, names: Names, version: str, *, for_s: float, anew: bool = False) -> None:
    """Every replica shall hold it, for so long from now on. `anew`: what was said of it before is forgotten."""
    now = await _now(redis)
    async with redis.pipeline(transaction=True) as pipe:
        if anew:
            pipe.delete(names.on_standby(version))
        pipe.zremrangebyscore(names.standby, "-inf", now)
        pipe.zadd(names.standby, {version: now + for_s})
        await pipe.execute()


async def unwant(redis: AsyncRedis, names: Names, version: str) -> None:
    await redis.zrem(names.standby, version)


async def wanted(redis: AsyncRedis, names: Names) -> frozenset[str]:
    async with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.zrange(names.standby, 0, -1, withscores=True)
        time, entries = await pipe.execute()
    return frozenset(version.decode() for version, until in entries if until > _seconds(time))


async def report(redis: AsyncRedis, names: Names, replica: str, reports: Mapping[str, Report]) -> None:
    """By version; of one replica."""
    async with redis.pipeline(transaction=False) as pipe:
        for version, said in reports.items():
            pipe.hset(names.on_standby(version), replica, said.model_dump_json())
            pipe.expire(names.on_standby(version), REPORTS_TTL_S)
        await pipe.execute()


async def reports(redis: AsyncRedis, names: Names, version: str) -> dict[str, Report]:
    """By replica id; of those that have an answer."""
    found = await redis.hgetall(names.on_standby(version))
    return {replica.decode(): Report.model_validate_json(said) for replica, said in found.items()}


async def _now(redis: AsyncRedis) -> float:
    return _seconds(await redis.time())


def _seconds(time: Any) -> float:
    """Redis tells seconds and microseconds."""
    return float(time[0]) + float(time[1]) / 1e6
