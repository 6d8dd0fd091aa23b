"""`source:{line}:{camera}`: how a camera is, as ingest sees it; written by ingest, read by the pages and `loupe status`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.contract.names import Names
from services.results.connection import AsyncRedis, Redis, text


class SourceState(BaseModel):
    """A camera's state; `sent` counts frames that the broker acknowledged, `dropped` those that Kafka was too slow for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: Literal["up", "down", "paused"]
    at: AwareDatetime
    error: str = ""
    sent: int = 0
    dropped: int = 0

    def silent_s(self, now: datetime) -> float:
        """Seconds since ingest last said anything: a state that is not renewed is worth nothing."""
        return (now - self.at).total_seconds()


def write_sources(redis: Redis, names: Names, states: dict[tuple[str, str], SourceState]) -> None:
    """(line, camera) -> state, in one round trip."""
    pipeline = redis.pipeline(transaction=False)
    for (line, camera), state in states.items():
        pipeline.hset(names.source(line, camera), mapping=state.model_dump(mode="json"))
    pipeline.execute()


def remove_sources(redis: Redis, names: Names, cameras: Iterable[tuple[str, str]]) -> None:
    for line, camera in cameras:
        redis.delete(names.source(line, camera))


async def read_sources(redis: AsyncRedis, names: Names, cameras: Sequence[tuple[str, str]]) -> dict[tuple[str, str], SourceState]:
    """Those cameras that ingest has said something of."""
    pipeline = redis.pipeline(transaction=False)
    for line, camera in cameras:
        pipeline.hgetall(names.source(line, camera))
    found = zip(cameras, await pipeline.execute(), strict=True)
    return {camera: SourceState.model_validate(text(fields)) for camera, fields in found if fields}
