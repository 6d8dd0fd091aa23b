"""`history`: how the writing of the history goes, as the recorder says; shown by `loupe status` and the page History."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.contract.names import Names
from services.results.connection import AsyncRedis, Redis

TTL_S = 30


class HistoryState(BaseModel):
    """`problem` says why nothing is written just now."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: AwareDatetime
    problem: str = ""


def write_history_state(redis: Redis, names: Names, state: HistoryState) -> None:
    redis.set(names.history, state.model_dump_json(), ex=TTL_S)


async def read_history_state(redis: AsyncRedis, names: Names) -> HistoryState | None:
    """None: no recorder has said anything of late."""
    found = await redis.get(names.history)
    return None if found is None else HistoryState.model_validate_json(found)
