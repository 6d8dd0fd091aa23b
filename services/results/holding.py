"""`holding:{replica}`: the model versions that each Inspector replica has loaded; gone some seconds after it last said so."""

import json
from collections.abc import Collection, Sequence

from services.contract.names import Names
from services.results.connection import AsyncRedis

TTL_S = 10


async def say_holding(redis: AsyncRedis, names: Names, replica: str, versions: Sequence[str]) -> None:
    await redis.set(names.holding(replica), json.dumps(list(versions)), ex=TTL_S)


async def holding(redis: AsyncRedis, names: Names, replicas: Collection[str]) -> dict[str, tuple[str, ...]]:
    """By replica; without those that have not said anything lately."""
    if not replicas:
        return {}
    found = zip(replicas, await redis.mget([names.holding(replica) for replica in replicas]), strict=True)
    return {replica: tuple(json.loads(said)) for replica, said in found if said is not None}
