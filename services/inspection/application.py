"""The Ray Serve application: frame consumers that pull from Kafka, and Inspector replicas that they ask.

Inspectors do not consume: scaling them must not rebalance the group, and with none of them somebody must still read the lag.
`build` is what the declarative deployment imports; it gets the settings as plain values, so that replicas on any machine agree.
"""

import asyncio
import logging
import os
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ray import serve
from ray.serve import Application

from services.bus.errors import BusError
from services.bus.publisher import KafkaPublisher
from services.bus.subscriber import KafkaSubscriber
from services.contract.names import FRAME_CONSUMER, INSPECTOR, Names
from services.contract.settings import Settings
from services.inspection import consumer
from services.inspection.activations import Activations
from services.inspection.errors import InspectionError
from services.inspection.finding import Answer, Question
from services.inspection.judging import Judge, Places
from services.inspection.loopback import stay_on_loopback
from services.inspection.plain import settings_from
from services.inspection.previews import Previews
from services.inspection.replica import Replica
from services.inspection.serve_handle import ServeInspector
from services.inspection.state import ConsumerState, write_state
from services.inspection.waits import Waits
from services.inspection.writing import Writer
from services.results.active import get_actives_async
from services.results.archive import Archive
from services.results.connection import AsyncRedis, connect_async
from services.results.pictures import watched_async, write_previews_async
from services.results.standby import wanted

log = logging.getLogger(__name__)

STATE_EVERY_S = 1.0
RESTART_AFTER_S = 1.0
UNACKNOWLEDGED_BYTES = 64 * 2**20
DELIVERY_TIMEOUT_S = 3600.0
"""A broker that is away is waited for: a write given up while a later one succeeds would be a gap."""


def build(args: dict[str, Any]) -> Application:
    """`args["settings"]` as `plain.settings_to` made them."""
    inspector = _deployment(InspectorDeployment, INSPECTOR).bind(args["settings"])
    application: Application = _deployment(FrameConsumerDeployment, FRAME_CONSUMER).bind(args["settings"], inspector)
    return application


def _deployment(what: type, name: str) -> Any:
    """How many, with which resources: the declarative configuration says (`schema.py`)."""
    return serve.deployment(what, name=name)


class InspectorDeployment:
    """Judges micro-batches with whichever model version they name."""

    def __init__(self, settings: dict[str, Any]) -> None:
        stay_on_loopback()
        self._replica = Replica(settings_from(settings), serve.get_replica_context().replica_id.unique_id)
        self._ready = asyncio.ensure_future(self._replica.preload())
        self._standing_by = asyncio.ensure_future(self._stand_by())

    async def inspect(self, question: Question) -> Answer:
        await self._ready
        return await self._replica.inspect(question)

    async def reconfigure(self, config: Any) -> None:
        """Serve sends no frames before this returns: all versions that judge something now, or are on standby, are loaded by then."""
        await self._ready

    def record_autoscaling_stats(self) -> dict[str, float]:
        return {"frames_per_s": self._replica.frames_per_s()}

    async def check_health(self) -> None:
        self._replica.check()

    async def _stand_by(self) -> None:
        await self._ready
        await self._replica.stand_by()


class FrameConsumerDeployment:
    """Keeps one frame consumer running; its rank among the replicas is its place in the consumer group."""

    def __init__(self, settings: dict[str, Any], inspector: Any) -> None:
        stay_on_loopback()
        self._settings, self._inspector = settings_from(settings), ServeInspector(inspector)
        self._rank: int | None = None
        self._running: Running | None = None
        self._changing = asyncio.Lock()

    async def reconfigure(self, config: Any, rank: Any = None) -> None:
        """Ranks move when replicas come and go; a consumer group knows a member by its rank."""
        place = rank.rank if rank is not None else 0
        async with self._changing:
            if self._running is not None and place == self._rank:
                return
            await self._stop()
            self._rank, self._running = place, Running(self._settings, self._inspector, place)

    def record_autoscaling_stats(self) -> dict[str, float]:
        return self._running.stats() if self._running is not None else {}

    async def check_health(self) -> None:
        if self._running is not None:
            self._running.check()

    async def __del__(self) -> None:
        await self._stop()

    async def _stop(self) -> None:
        if self._running is not None:
            running, self._running = self._running, None
            await running.stop()


class Running:
    """One frame consumer with its clients: made anew while the bus refuses it, ended by `stop`."""

    def __init__(self, settings: Settings, inspector: ServeInspector, rank: int) -> None:
        self._settings, self._inspector, self._rank = settings, inspector, rank
        self._waits = Waits()
        self._redis = connect_async(settings)
        self._activations = activations(settings, self._redis, self._waits)
        self._consumer: consumer.FrameConsumer | None = None
        self._publisher: KafkaPublisher | None = None
        self._on_standby = 0
        self._stopping = False
        self._tasks = [asyncio.create_task(one) for one in (self._consume_forever(), self._activations.run(), self._say_forever())]

    def stats(self) -> dict[str, float]:
        if self._consumer is None:
            return {}
        pace = self._consumer.pace
        return {"lag": float(self._lag()), "arrivals_per_s": pace.arrivals_per_s, "late_per_s": pace.late_per_s, "on_standby": float(self._on_standby)}

    def check(self) -> None:
        """Raises where only a new process helps."""
        for task in self._tasks:
            if task.done() and not self._stopping:
                raise InspectionError(f"frame consumer {self._rank}: ended by itself: {task.exception()!r}")
        if self._consumer is not None:
            self._consumer.check()

    async def stop(self) -> None:
        self._stopping = True
        if self._consumer is not None:
            await self._consumer.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._publisher is not None:
            await asyncio.to_thread(self._publisher.close)
        await self._redis.aclose()

    async def _consume_forever(self) -> None:
        while not self._stopping:
            try:
                self._consumer = await self._open()
                await self._consumer.run()
            except BusError as error:
                log.warning("frame consumer %d: %s", self._rank, error)
                await self._waits.pause(f"Kafka ({error})", RESTART_AFTER_S)
                await self._close()

    async def _open(self) -> consumer.FrameConsumer:
        settings, names = self._settings, self._settings.names
        if self._publisher is None:
            make = partial(KafkaPublisher, settings, max_unacknowledged_bytes=UNACKNOWLEDGED_BYTES, delivery_timeout_s=DELIVERY_TIMEOUT_S)
            self._publisher = await self._waits.until("Kafka", asyncio.to_thread(make))
        place = f"{names.inspection_group}-{self._rank}"
        join = partial(KafkaSubscriber, settings, [names.frames], names.inspection_group, instance_id=place)
        subscriber = await self._waits.until("Kafka", asyncio.to_thread(join))
        places = Places(settings.inspection.in_flight)
        parts = consumer.Parts(
            subscriber=subscriber,
            judge=Judge(self._inspector, self._activations, self._waits, places),
            writer=Writer(self._publisher, Archive(settings), names, self._waits, blind_check_rate=settings.inspection.blind_check_rate),
            showing=Previews(partial(write_previews_async, self._redis, names, mask_ttl_s=settings.redis.mask_ttl_s), self._activations),
            places=places,
            waits=self._waits,
        )
        return consumer.FrameConsumer(parts, settings.inspection)

    async def _close(self) -> None:
        if self._consumer is not None:
            abandoned, self._consumer = self._consumer, None
            try:
                await abandoned.stop()
            except BusError as error:
                log.info("frame consumer %d: did not leave cleanly: %s", self._rank, error)

    async def _say_forever(self) -> None:
        while True:
            await asyncio.sleep(STATE_EVERY_S)
            try:
                await write_state(self._redis, self._settings.names, self._state())
                self._on_standby = len(await wanted(self._redis, self._settings.names))
            except Exception as error:  # Redis is away: pages show that this state is old
                log.debug("state: %s", error)

    def _state(self) -> ConsumerState:
        waiting_for = self._waits.current()
        pace = self._consumer.pace if self._consumer is not None else None
        return ConsumerState(
            rank=self._rank,
            pid=os.getpid(),
            state="waiting" if waiting_for or pace is None else "running",
            waiting_for=tuple(waiting_for),
            lag=self._lag(),
            frames_per_s=round(pace.frames_per_s, 2) if pace else 0.0,
            arrivals_per_s=round(pace.arrivals_per_s, 2) if pace else 0.0,
            partitions=tuple(self._consumer.partitions()) if self._consumer is not None else (),
            at=datetime.now(UTC),
        )

    def _lag(self) -> int:
        return self._consumer.lag() if self._consumer is not None else 0


def activations(settings: Settings, redis: AsyncRedis, waits: Waits) -> Activations:
    names: Names = settings.names
    return Activations(partial(get_actives_async, redis, names), partial(watched_async, redis, names), waits)
