"""The live view on a real Redis: what is counted, what is passed over, what is noticed."""

import time
from collections.abc import AsyncIterator

import pytest

from services.contract.batch import NOWHERE, Batch, PositionMovedError, Wrote
from services.contract.inspection import Decision, Inspection, Outcome
from services.contract.settings import Settings
from services.results.connection import Redis, connect, connect_async, connect_blocking
from services.results.live import Ledger, LiveReader, LiveWriter
from tests.builders import TOPIC_ID, make_inspection, make_timings

INSPECTIONS = "inspections-id"


@pytest.fixture
def redis(redis_url: str, settings: Settings) -> Redis:
    return connect(settings)


@pytest.fixture
def writer(redis: Redis, settings: Settings) -> LiveWriter:
    return LiveWriter(redis, settings.names, live_length=60)


@pytest.fixture
async def reader(redis_url: str, settings: Settings) -> AsyncIterator[LiveReader]:
    redis, blocking = connect_async(settings), connect_blocking(settings)
    yield LiveReader(redis, settings.names, blocking=blocking)
    await redis.aclose()
    await blocking.aclose()


def batch(before: int, *inspections: Inspection, **fields: object) -> Batch:
    return Batch(INSPECTIONS, 0, before, before + len(inspections), inspections, **fields)  # type: ignore[arg-type]


def frames(start: int, stop: int) -> list[Inspection]:
    return [make_inspection(number) for number in range(start, stop)]


async def test_a_frame_that_comes_again_counts_once(writer: LiveWriter, reader: LiveReader) -> None:
    wrote = [writer.write(batch(NOWHERE, *frames(0, 16))), writer.write(batch(15, *frames(0, 16))), writer.write(batch(31, *frames(8, 24)))]

    assert wrote == [Wrote(16, 0), Wrote(0, 16), Wrote(8, 8)]
    assert await reader.ledger(TOPIC_ID) == Ledger(inspected=24, redelivered=24)
    assert len(await reader.latest("metal", 100)) == 24


async def test_a_write_that_was_tried_again_after_it_happened_is_refused(writer: LiveWriter, reader: LiveReader) -> None:
    writer.write(batch(NOWHERE, *frames(0, 4)))

    with pytest.raises(PositionMovedError) as moved:
        writer.write(batch(NOWHERE, *frames(0, 4)))

    assert moved.value.stands == 3
    assert (await reader.totals("metal")).frames == 4


def test_an_emptied_redis_takes_nothing_but_the_beginning(writer: LiveWriter, redis: Redis, settings: Settings) -> None:
    writer.write(batch(NOWHERE, *frames(0, 4)))
    redis.delete(settings.names.written)

    with pytest.raises(PositionMovedError) as moved:
        writer.write(batch(3, *frames(4, 8)))

    assert moved.value.stands == NOWHERE


async def test_offsets_that_never_came_are_expired(writer: LiveWriter, reader: LiveReader) -> None:
    writer.write(batch(NOWHERE, *frames(3, 5), *frames(9, 10)))

    assert await reader.ledger(TOPIC_ID) == Ledger(inspected=3, expired=3 + 4)


async def test_what_retention_took_from_the_inspections_is_forgotten_not_expired(writer: LiveWriter, reader: LiveReader) -> None:
    writer.write(batch(NOWHERE, *frames(100, 102), forgotten=True))

    assert await reader.ledger(TOPIC_ID) == Ledger(inspected=2, forgotten=100)


async def test_a_topic_made_anew_has_a_ledger_of_its_own(writer: LiveWriter, reader: LiveReader) -> None:
    writer.write(batch(NOWHERE, *frames(0, 5), make_inspection(0, session="s2", topic_id="made-anew")))

    assert (await reader.ledger(TOPIC_ID)).inspected == 5
    assert await reader.ledger("made-anew") == Ledger(inspected=1)


async def test_counters_tell_outcomes_decisions_and_truth(writer: LiveWriter, reader: LiveReader) -> None:
    writer.write(
        batch(
            NOWHERE,
            make_inspection(0, truth="good"),
            make_inspection(1, truth="scratch", decision=Decision.FAIL),
            make_inspection(2, truth="pit"),
            make_inspection(3, outcome=Outcome.FAILED, error="not a picture"),
        )
    )

    totals = await reader.totals("metal")

    assert (totals.frames, totals.outcome(Outcome.INSPECTED), totals.outcome(Outcome.FAILED)) == (4, 3, 1)
    assert (totals.flagged, totals.archived) == (1, 1)
    assert (totals.truth("good", Decision.PASS), totals.truth("defect"), totals.truth("defect", Decision.FAIL)) == (1, 2, 1)


async def test_a_minute_has_its_latencies(writer: LiveWriter, reader: LiveReader) -> None:
    now = make_inspection(0).model_copy(update={"timings": _just_now(latency_ms=400)})
    minute = int(now.timings.written_at.timestamp() // 60)

    writer.write(batch(NOWHERE, now))

    empty, found = await reader.minutes("metal", minute - 1, minute)
    assert (empty.counts.frames, found.counts.frames) == (0, 1)
    assert found.counts.latency_ms(0.5) == pytest.approx(400, rel=0.1)


async def test_minutes_long_past_are_not_kept(writer: LiveWriter, reader: LiveReader) -> None:
    """A rebuild reads a week of inspections; the charts show half a day."""
    old = make_inspection(0)
    minute = int(old.timings.written_at.timestamp() // 60)

    writer.write(batch(NOWHERE, old))

    assert (await reader.minutes("metal", minute, minute))[0].counts.frames == 0
    assert (await reader.totals("metal")).frames == 1


async def test_readers_go_back_and_follow(writer: LiveWriter, reader: LiveReader) -> None:
    writer.write(batch(NOWHERE, *frames(0, 3)))
    newest, older, _ = await reader.latest("metal")

    writer.write(batch(2, *frames(3, 4)))

    assert [one.inspection.source.offset for one in await reader.latest("metal", before=older.entry_id)] == [0]
    assert [one.inspection.source.offset for one in await reader.tail({"metal": newest.entry_id})] == [3]
    assert await reader.tail({"metal": "$"}, block_ms=20) == []


async def test_a_stream_is_capped(writer: LiveWriter, reader: LiveReader) -> None:
    for start in range(0, 1000, 100):
        writer.write(batch(start - 1, *frames(start, start + 100)))

    assert len(await reader.latest("metal", 1000)) < 250  # Redis trims whole nodes of 100
    assert (await reader.totals("metal")).frames == 1000


async def test_clearing_leaves_what_is_not_the_live_view(writer: LiveWriter, reader: LiveReader, redis: Redis, settings: Settings) -> None:
    writer.write(batch(NOWHERE, *frames(0, 3)))
    redis.set(settings.names.active("metal"), "kept")
    redis.set("live:of-another-installation", "kept")

    writer.clear()

    assert await reader.written() == {}
    assert (await reader.totals("metal")).frames == 0
    assert redis.mget(settings.names.active("metal"), "live:of-another-installation") == [b"kept", b"kept"]
    redis.delete("live:of-another-installation")


def _just_now(*, latency_ms: float) -> object:
    from datetime import UTC, datetime, timedelta

    made = make_timings(latency_ms=latency_ms)
    shift = datetime.now(UTC) - made.written_at
    assert shift > timedelta(0), time.time()
    return made.model_copy(update={"captured_at": made.captured_at + shift, "written_at": made.written_at + shift})
