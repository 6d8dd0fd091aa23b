"""What judges a line, previews and cameras' states: written and read back on a real Redis."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.contract.settings import RedisSettings, Settings
from services.results import standby
from services.results.active import get_active, get_actives, get_actives_async, set_active
from services.results.connection import AsyncRedis, Redis, connect, connect_async
from services.results.holding import TTL_S, holding, say_holding
from services.results.pictures import Preview, read_mask, read_preview, read_previews, watch, watched, write_previews
from services.results.sources import SourceState, read_sources, write_sources
from services.results.standby import Report
from tests.builders import make_active, make_inspection


@pytest.fixture
def redis(redis_url: str, settings: Settings) -> Redis:
    return connect(settings)


@pytest.fixture
async def async_redis(redis_url: str, settings: Settings) -> AsyncIterator[AsyncRedis]:
    client = connect_async(settings)
    yield client
    await client.aclose()


async def test_what_judges_a_line_is_one_value(redis: Redis, async_redis: AsyncRedis, settings: Settings) -> None:
    active = make_active("metal")

    set_active(redis, settings.names, active)

    assert get_active(redis, settings.names, "metal") == active
    assert get_active(redis, settings.names, "fabric") is None
    assert get_actives(redis, settings.names, ["fabric", "metal"]) == {"metal": active}
    assert await get_actives_async(async_redis, settings.names, ["metal"]) == {"metal": active}


async def test_a_preview_is_of_one_frame(redis: Redis, async_redis: AsyncRedis, settings: Settings) -> None:
    first = Preview(make_inspection(1), b"jpeg 1", b"map 1")
    second = Preview(make_inspection(2), b"jpeg 2")

    write_previews(redis, settings.names, [first], {"metal/top/s1/1": b"png"}, mask_ttl_s=30)
    write_previews(redis, settings.names, [second], {}, mask_ttl_s=30)

    assert await read_preview(async_redis, settings.names, "metal") == second
    assert await read_previews(async_redis, settings.names, ["metal", "fabric"]) == {"metal": second}
    assert await read_mask(async_redis, settings.names, "metal/top/s1/1") == b"png"
    assert 0 < redis.ttl(settings.names.mask("metal/top/s1/1")) <= 30


async def test_lines_are_watched_for_a_while(redis: Redis, async_redis: AsyncRedis, settings: Settings) -> None:
    await watch(async_redis, settings.names, ["metal"], ttl_s=20)

    assert watched(redis, settings.names, ["metal", "fabric"]) == {"metal"}
    assert 0 < redis.ttl(settings.names.watched("metal")) <= 20


def test_previews_are_best_effort(tmp_path: object) -> None:
    nobody = Settings(redis=RedisSettings(url="redis://127.0.0.1:1/0", client={"retry": None, "socket_connect_timeout": 0.2}))  # type: ignore[arg-type]

    assert write_previews(connect(nobody), nobody.names, [Preview(make_inspection(), b"")], {}, mask_ttl_s=1) is False


async def test_a_camera_says_how_it_is(redis: Redis, async_redis: AsyncRedis, settings: Settings) -> None:
    state = SourceState(state="down", at=datetime(2026, 3, 2, tzinfo=UTC), error="no such folder", sent=4, dropped=1)

    write_sources(redis, settings.names, {("metal", "top"): state})

    assert await read_sources(async_redis, settings.names, [("metal", "top"), ("metal", "side")]) == {("metal", "top"): state}


async def test_a_version_stands_by_for_a_while_and_replicas_say_what_came_of_it(async_redis: AsyncRedis, settings: Settings) -> None:
    names = settings.names
    await standby.want(async_redis, names, "v1", for_s=-1)
    await standby.want(async_redis, names, "v2", for_s=20)
    await standby.report(async_redis, names, "one", {"v2": Report(seconds=0.5), "v3": Report(error="no such folder")})

    assert await standby.wanted(async_redis, names) == {"v2"}
    assert await standby.reports(async_redis, names, "v2") == {"one": Report(seconds=0.5)}
    await standby.want(async_redis, names, "v2", for_s=20)
    assert await standby.reports(async_redis, names, "v2")
    await standby.want(async_redis, names, "v2", for_s=20, anew=True)
    assert await standby.reports(async_redis, names, "v2") == {}
    assert 0 < await async_redis.ttl(names.on_standby("v3")) <= standby.REPORTS_TTL_S
    await standby.unwant(async_redis, names, "v2")
    assert await standby.wanted(async_redis, names) == frozenset()


async def test_replicas_say_what_they_have_loaded_and_are_not_believed_for_long(async_redis: AsyncRedis, settings: Settings) -> None:
    names = settings.names
    await say_holding(async_redis, names, "one", ["v1", "v2"])
    await say_holding(async_redis, names, "two", [])

    assert await holding(async_redis, names, ["one", "two", "three"]) == {"one": ("v1", "v2"), "two": ()}
    assert await holding(async_redis, names, []) == {}
    assert 0 < await async_redis.ttl(names.holding("one")) <= TTL_S
