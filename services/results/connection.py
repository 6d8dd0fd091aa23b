"""Settings -> Redis clients whose timeouts and retries suit what they are used for.

Every write of ours is idempotent (a high water in the same Lua call, or plain assignment), so a retried one is harmless.
"""

from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from services.contract.settings import Settings

__all__ = ["AsyncRedis", "Redis", "ResultsError", "connect", "connect_async", "connect_blocking"]

ResultsError = RedisError
"""Whatever goes wrong between us and Redis: not reachable, out of memory, still loading."""


def connect(settings: Settings) -> Redis:
    """A client that gives up after about 2 s per try, 3 tries; nothing is connected before the first command."""
    return Redis.from_url(settings.redis_url, **{**_common(), "retry": Retry(_backoff(), 2), **settings.redis.client})


def connect_async(settings: Settings) -> AsyncRedis:
    return AsyncRedis.from_url(settings.redis_url, **{**_common(), "retry": AsyncRetry(_backoff(), 2), **settings.redis.client})


def connect_blocking(settings: Settings) -> AsyncRedis:
    """For XREAD BLOCK: the default timeout would cut a blocked read short, and its retries would read for a minute."""
    own = {**_common(), "socket_timeout": None, "retry": AsyncRetry(NoBackoff(), 0)}
    return AsyncRedis.from_url(settings.redis_url, **{**own, **settings.redis.client})


def _common() -> dict[str, Any]:
    return {"socket_timeout": 2.0, "socket_connect_timeout": 2.0, "health_check_interval": 15, "decode_responses": False}


def _backoff() -> ExponentialWithJitterBackoff:
    return ExponentialWithJitterBackoff(base=0.05, cap=0.5)


def text(fields: dict[bytes, bytes]) -> dict[str, str]:
    """A hash as strings; our clients leave bytes alone, since pictures are bytes."""
    return {name.decode(): value.decode() for name, value in fields.items()}
