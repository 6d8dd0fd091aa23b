"""A topic -> records of the partitions that a consumer group gave us, and offsets back.

Facts of kafka-python 3 that shape this file: listeners run on its IO thread and may only await its own futures; a rebalance
leaves positions of partitions that come back where they were, beyond what was committed; a rejoin that starts while a poll
ends can hang for ever; a topic made anew starts at 0 under the same name, and a position beyond its end is silently reset;
what is left of a fetch when its partition is paused does not always come back.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener

from services.bus.connection import client_options, max_message_bytes, patiently
from services.bus.errors import BusError, FencedError
from services.bus.reader import as_record, read_all, read_record
from services.bus.record import Partition, Record
from services.bus.topics import NO_ID
from services.contract.settings import Settings

__all__ = ["KafkaSubscriber", "Partition", "Record", "Subscriber", "read_all", "read_record"]

log = logging.getLogger(__name__)

REJOIN_AFTER_S = 15.0
"""A rebalance that lasts longer than every member's session has hung: ask to join again."""
METADATA_AGE_MS = 2_000
"""How long a topic made anew may go unnoticed while nothing fails."""
END_OFFSETS_EVERY_S = 1.0
RPC_TIMEOUT_MS = 5_000
_LOST_OWNERSHIP = (
    kafka_errors.CommitFailedError,
    kafka_errors.RebalanceInProgressError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
)


class Subscriber(Protocol):
    """Where records come from. One thread polls and seeks; others may commit, pause and resume."""

    def poll(self, timeout_s: float, max_records: int) -> dict[Partition, list[Record]]: ...

    def take_resets(self) -> set[Partition]: ...

    def commit(self, offsets: Mapping[Partition, int]) -> None: ...

    def seek(self, partition: Partition, offset: int) -> None: ...

    def pause(self, partitions: Iterable[Partition]) -> None: ...

    def resume(self, partitions: Iterable[Partition]) -> None: ...

    def assignment(self) -> set[Partition]: ...

    def lag(self) -> dict[Partition, int]: ...

    def close(self) -> None: ...


class KafkaSubscriber:
    """A member of a consumer group. With an `instance_id` it is a static one: restarted within the session it gets its partitions back unseen."""

    def __init__(
        self,
        settings: Settings,
        topics: Iterable[str],
        group: str,
        *,
        instance_id: str | None = None,
        goes_on: Callable[[str, int], int] | None = None,
        wait_s: float = 30,
    ) -> None:
        """`goes_on` says where to read a (topic id, partition) on, for readers that keep positions beside their data; else the last commit does."""
        options = consumer_options(settings, group, instance_id)
        self._consumer = patiently(partial(KafkaConsumer, **options), settings, wait_s)
        self._goes_on = goes_on
        self._lock = threading.Lock()
        self._topic_ids: dict[str, str] = {}
        self._uncommitted: dict[TopicPartition, int] = {}
        self._unsettled: set[TopicPartition] = set()
        self._anew: set[TopicPartition] = set()
        self._resets: set[Partition] = set()
        self._end_offsets: dict[Partition, int] = {}
        self._asked_ends_at = self._stable_at = time.monotonic()
        self._fenced: FencedError | None = None
        self._consumer.subscribe(list(topics), listener=_Rebalances(self))

    def poll(self, timeout_s: float, max_records: int) -> dict[Partition, list[Record]]:
        """Records by partition, in offset order; nothing after `timeout_s`. Raises FencedError where another process took our place."""
        self._watch_group()
        self._settle()
        self._make_room_for_parked()
        try:
            polled = self._consumer.poll(timeout_ms=int(timeout_s * 1000), max_records=max_records)
        except kafka_errors.FencedInstanceIdError as error:
            raise FencedError(f"consumer group: another process took the place of {self._consumer.config['group_instance_id']!r}") from error
        except kafka_errors.RetriableError as error:
            log.warning("poll: %s: %s", type(error).__name__, error)
            return {}
        except kafka_errors.KafkaError as error:
            raise BusError(f"poll: {type(error).__name__}: {error}") from error
        self._notice_new_topics()
        return {Partition(*place): self._records(place, found) for place, found in polled.items() if place not in self._unsettled}

    def take_resets(self) -> set[Partition]:
        """Partitions that were taken away or begin anew since the last call: whatever of them is not committed is void and will be read again."""
        with self._lock:
            resets, self._resets = self._resets, set()
            return resets

    def assignment(self) -> set[Partition]:
        return {Partition(*place) for place in self._consumer.assignment()}

    def topic_id(self, topic: str) -> str | None:
        """Of the incarnation that records come from now; None before the first poll."""
        return self._topic_ids.get(topic)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commits in the background. One that fails is only logged: what it covered is read again and written to no effect."""
        places = {TopicPartition(*partition): offset for partition, offset in offsets.items() if self._is_current(partition)}
        if not places:
            return
        with self._lock:
            self._uncommitted.update(places)
        self._consumer.commit_async(_with_metadata(places), callback=self._committed)

    def commit_now(self, offsets: Mapping[Partition, int], timeout_s: float = 5) -> bool:
        """Commits and waits; False where it failed."""
        places = {TopicPartition(*partition): offset for partition, offset in offsets.items() if self._is_current(partition)}
        try:
            self._consumer.commit(_with_metadata(places), timeout_ms=int(timeout_s * 1000))
        except kafka_errors.KafkaError as error:
            log.warning("commit: %s: %s", type(error).__name__, error)
            return False
        return True

    def seek(self, partition: Partition, offset: int) -> None:
        """Reads on from `offset`; nothing where the partition is no longer ours."""
        try:
            self._consumer.seek(TopicPartition(*partition), offset)
        except (ValueError, AssertionError, KeyError):
            log.info("%s/%d: no longer ours, not sought", *partition)

    def rewind(self, partition: Partition) -> None:
        """Reads on from the last commit, at the next poll."""
        self._unsettled.add(TopicPartition(*partition))

    def seek_to_beginning(self, partitions: Iterable[Partition] = ()) -> None:
        """All that the broker still holds, of the given partitions or of all that are ours."""
        places = [TopicPartition(*partition) for partition in partitions] or list(self._consumer.assignment())
        if places:
            self._consumer.seek_to_beginning(*places)

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._each(self._consumer.pause, partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._each(self._consumer.resume, partitions)

    def end_offsets(self) -> dict[Partition, int]:
        """Partition -> the offset that its next record will get, as last heard: from fetches, or by asking once a second."""
        return dict(self._end_offsets)

    def lag(self) -> dict[Partition, int]:
        """Records of our partitions that no poll has returned yet."""
        positions = {partition: self._position(partition) for partition in self.assignment()}
        return {p: max(0, self._end_offsets[p] - at) for p, at in positions.items() if at is not None and p in self._end_offsets}

    def close(self) -> None:
        """Leaves without leaving the group where we are a static member: its place waits for the next one of that name."""
        with self._lock:
            places, self._uncommitted = self._uncommitted, {}
        if places:
            self.commit_now({Partition(*place): offset for place, offset in places.items()}, timeout_s=2)
        self._consumer.close(autocommit=False, timeout_ms=RPC_TIMEOUT_MS)

    def _records(self, place: TopicPartition, found: list[Any]) -> list[Record]:
        identity = self._topic_ids.get(place.topic, NO_ID)
        return [as_record(one, identity) for one in found]

    def _is_current(self, partition: Partition) -> bool:
        """Offsets of a topic since made anew must not be committed to its successor."""
        known = self._topic_ids.get(partition.topic)
        now = self._consumer._cluster.topic_id(partition.topic)
        return known is None or now is None or str(now) in (known, NO_ID)

    def _committed(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], response: Any) -> None:
        """Runs on kafka's IO thread."""
        if isinstance(response, Exception):
            level = logging.INFO if isinstance(response, _LOST_OWNERSHIP) else logging.WARNING
            log.log(level, "commit: %s: %s", type(response).__name__, response)
            return
        with self._lock:
            for place, committed in offsets.items():
                if self._uncommitted.get(place) == committed.offset:
                    del self._uncommitted[place]

    def _watch_group(self) -> None:
        now = time.monotonic()
        if self._consumer.group_metadata().state == "<stable>":
            self._stable_at = now
        elif now - self._stable_at > REJOIN_AFTER_S:
            log.warning("consumer group: not stable for %.0f s, joining again", now - self._stable_at)
            self._consumer._coordinator.request_rejoin()
            self._stable_at = now

    def _make_room_for_parked(self) -> None:
        """Records left from before a pause return to a slot of the fetcher only if it is None; after a drained fetch it is merely empty,
        and the partition, still counted as having records, would never be fetched again (kafka-python 3.0.12, `Fetcher.fetched_records`)."""
        fetcher = self._consumer._fetcher
        if fetcher._next_partition_records is not None and not fetcher._next_partition_records:
            fetcher._next_partition_records = None

    def _settle(self) -> None:
        """Moves partitions that begin anew to where their group committed; until then their records are dropped."""
        self._ask_end_offsets()
        for place in list(self._unsettled):
            if place not in self._consumer.assignment():
                self._unsettled.discard(place)
                continue
            try:
                self._seek_committed(place)
            except kafka_errors.KafkaError as error:
                log.info("%s/%d: asking for its commit again: %s", place.topic, place.partition, error)
            else:
                self._unsettled.discard(place)

    def _seek_committed(self, place: TopicPartition) -> None:
        anew = place in self._anew  # whatever is committed there was meant for the topic before
        offset: int | None
        if self._goes_on is not None:
            offset = self._goes_on(self._topic_ids.get(place.topic, NO_ID), place.partition)
        else:
            offset = None if anew else self._consumer.committed(place, timeout_ms=RPC_TIMEOUT_MS)
        self._anew.discard(place)
        if offset is None or offset < 0:
            self._consumer.seek_to_beginning(place)
        else:
            self._consumer.seek(place, offset)

    def _notice_new_topics(self) -> None:
        for topic in self._consumer.subscription() or ():
            now = self._consumer._cluster.topic_id(topic)
            if now is None or str(now) == NO_ID:
                continue
            before, self._topic_ids[topic] = self._topic_ids.get(topic), str(now)
            if before is not None and before != str(now):
                self._begin_anew(topic, before)

    def _begin_anew(self, topic: str, before: str) -> None:
        log.warning("topic %s was made anew: id %s -> %s, reading it from its beginning", topic, before, self._topic_ids[topic])
        places = {place for place in self._consumer.assignment() if place.topic == topic}
        with self._lock:
            self._resets |= {Partition(*place) for place in places}
            self._uncommitted = {place: offset for place, offset in self._uncommitted.items() if place.topic != topic}
        self._anew |= places
        self._unsettled |= places

    def _ask_end_offsets(self) -> None:
        """Fetches carry end offsets along; paused partitions are not fetched, and their backlog must still be seen."""
        places = list(self._consumer.assignment())
        for place in places:
            highwater = self._consumer.highwater(place)
            if highwater is not None:
                self._end_offsets[Partition(*place)] = highwater
        paused = [place for place in places if place in self._consumer.paused() or Partition(*place) not in self._end_offsets]
        if paused and time.monotonic() - self._asked_ends_at > END_OFFSETS_EVERY_S:
            self._asked_ends_at = time.monotonic()
            try:
                found = self._consumer.end_offsets(paused, timeout_ms=RPC_TIMEOUT_MS)
                self._end_offsets.update({Partition(*place): offset for place, offset in found.items()})
            except kafka_errors.KafkaError as error:
                log.debug("end offsets: %s", error)

    def _position(self, partition: Partition) -> int | None:
        state = self._consumer._subscription.assignment.get(TopicPartition(*partition))
        return state.position.offset if state is not None and state.position is not None else None

    def _each(self, action: Any, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            try:
                action(TopicPartition(*partition))
            except (KeyError, AssertionError, ValueError):
                log.debug("%s/%d: no longer ours", *partition)

    def _taken(self, places: Iterable[TopicPartition]) -> None:
        with self._lock:
            self._resets |= {Partition(*place) for place in places}
            for place in places:
                self._uncommitted.pop(place, None)
                self._end_offsets.pop(Partition(*place), None)

    def _given(self, places: Iterable[TopicPartition]) -> None:
        # A partition that comes back keeps its position, which lies beyond what was committed.
        self._unsettled |= set(places)

    def _still_uncommitted(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        with self._lock:
            return {place: self._uncommitted[place] for place in places if place in self._uncommitted}


class _Rebalances(AsyncConsumerRebalanceListener):
    """Runs on kafka's IO thread: only its own futures may be awaited here, and a slow step would hang the rebalance."""

    def __init__(self, subscriber: KafkaSubscriber) -> None:
        self._subscriber = subscriber

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        finished = self._subscriber._still_uncommitted(revoked)
        if finished:
            try:
                await self._subscriber._consumer.commit_async(_with_metadata(finished))
            except kafka_errors.KafkaError as error:
                log.info("commit before the rebalance: %s: %s", type(error).__name__, error)
        self._subscriber._taken(revoked)

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._subscriber._taken(lost)  # others own them by now: nothing to commit

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        if assigned:
            log.info("consumer group: given %s", sorted((place.topic, place.partition) for place in assigned))
        self._subscriber._given(assigned)


def consumer_options(settings: Settings, group: str | None, instance_id: str | None) -> dict[str, Any]:
    """Ours under the site's."""
    largest = max_message_bytes(settings)
    ours = {
        "group_id": group,
        "group_instance_id": instance_id,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "session_timeout_ms": settings.kafka.session_timeout_ms,
        "heartbeat_interval_ms": 1_000,
        "fetch_max_wait_ms": 100,
        "max_partition_fetch_bytes": max(8 * 2**20, largest),
        "receive_buffer_bytes": 2**20,
        "metadata_max_age_ms": METADATA_AGE_MS,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }
    return {**ours, **client_options(settings), **settings.kafka.consumer}


def _with_metadata(places: Mapping[TopicPartition, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {place: OffsetAndMetadata(offset, "", -1) for place, offset in places.items()}
