"""What a frame consumer says of itself, once a second, in the `consumers` hash: one field per rank."""

from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.contract.names import Names
from services.results.connection import AsyncRedis, Redis

STALE_AFTER = timedelta(seconds=15)


class ConsumerState(BaseModel):
    """One frame consumer; `waiting` while something that frames need is away."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rank: int
    pid: int
    state: str = Field(description="running or waiting")
    waiting_for: tuple[str, ...] = ()
    lag: int = Field(description="frames of its partitions that are not inspected yet")
    frames_per_s: float
    arrivals_per_s: float
    partitions: tuple[int, ...] = ()
    at: AwareDatetime

    @property
    def is_stale(self) -> bool:
        return datetime.now(UTC) - self.at > STALE_AFTER


async def write_state(redis: AsyncRedis, names: Names, state: ConsumerState) -> None:
    await redis.hset(names.consumers, str(state.rank), state.model_dump_json())


def read_states(redis: Redis, names: Names) -> list[ConsumerState]:
    """All that were ever written, by rank; `is_stale` tells those that are gone."""
    found = redis.hgetall(names.consumers)
    return sorted((ConsumerState.model_validate_json(value) for value in found.values()), key=lambda state: state.rank)
