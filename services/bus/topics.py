"""Topics with explicit partitions, retention and sizes; their ids, and where partitions begin and end."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka import errors as kafka_errors
from kafka.admin import OffsetSpec

from services.bus.connection import client_options, max_message_bytes, patiently, translated
from services.bus.errors import BusError
from services.contract.settings import Settings

log = logging.getLogger(__name__)

NO_ID = "00000000-0000-0000-0000-000000000000"


def ensure_topics(settings: Settings, *, wait_s: float = 60) -> None:
    """Creates the topics that do not exist; leaves the others as they are. Waits `wait_s` for a broker that starts."""
    with _admin(settings, wait_s) as admin:
        wanted = _wanted(settings)
        missing = {name: topic for name, topic in wanted.items() if name not in admin.list_topics()}
        for name, topic in missing.items():
            _create(admin, name, topic)
        admin.wait_for_topics(list(wanted), timeout_ms=30_000)


def topic_id(settings: Settings, topic: str) -> str:
    """The UUID of this incarnation of the topic."""
    with _admin(settings) as admin:
        return str(_described(admin, topic)["topic_id"])


def end_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """Partition -> the offset that the next record will get."""
    return _offsets(settings, topic, OffsetSpec.LATEST)


def begin_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """Partition -> the oldest offset that retention has left."""
    return _offsets(settings, topic, OffsetSpec.EARLIEST)


def committed(settings: Settings, group: str, topic: str) -> dict[int, int]:
    """Partition -> the group's next offset; partitions it never committed are missing."""
    with _admin(settings) as admin:
        try:
            offsets = admin.list_group_offsets({group: None})[group]
        except kafka_errors.GroupIdNotFoundError:
            return {}
        return {tp.partition: found.offset for tp, found in offsets.items() if tp.topic == topic and found.offset >= 0}


def delete_topics(settings: Settings, topics: Iterable[str]) -> None:
    """Deletes those that exist, with all they hold: benchmarks and tests tidy up after themselves."""
    with _admin(settings) as admin:
        existing = sorted(set(topics) & set(admin.list_topics()))
        if existing:
            admin.delete_topics(existing)


def delete_groups(settings: Settings, groups: Iterable[str]) -> None:
    """Forgets consumer groups that have no member any more."""
    with _admin(settings) as admin:
        try:
            admin.delete_groups(list(groups))
        except kafka_errors.KafkaError as error:
            log.info("groups stay: %s", error)


def _wanted(settings: Settings) -> dict[str, dict[str, Any]]:
    names, kafka = settings.names, settings.kafka
    minutes, hours = 60_000, 3_600_000
    frames = {"retention.ms": kafka.frames_retention_minutes * minutes, "retention.bytes": kafka.frames_retention_mb * 2**20}
    results = {"retention.ms": kafka.inspections_retention_hours * hours}
    kept = {"retention.ms": -1}  # few, small, and people's work
    return {
        names.frames: _topic(settings, frames),
        names.dead_letter: _topic(settings, results),
        names.inspections: _topic(settings, results),
        names.verdicts: _topic(settings, kept),
    }


def _topic(settings: Settings, retention: dict[str, int]) -> dict[str, Any]:
    # The log's own time: a camera with a wrong clock must neither expire records nor have them refused.
    configs = {**retention, "max.message.bytes": max_message_bytes(settings), "message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete"}
    if "retention.bytes" in retention:
        # Retention drops whole segments only: with the default of 1 GB the limit would be passed by far.
        configs["segment.bytes"] = max(max_message_bytes(settings), min(256 * 2**20, retention["retention.bytes"] // 4))
    return {
        "num_partitions": settings.kafka.partitions,
        "replication_factor": settings.kafka.replication_factor,
        "configs": {key: str(value) for key, value in configs.items()},
    }


def _create(admin: KafkaAdminClient, name: str, topic: dict[str, Any]) -> None:
    try:
        admin.create_topics({name: topic})
        log.info("created topic %s with %d partitions", name, topic["num_partitions"])
    except kafka_errors.TopicAlreadyExistsError:
        log.debug("topic %s: another process was faster", name)


def _offsets(settings: Settings, topic: str, spec: OffsetSpec) -> dict[int, int]:
    with _admin(settings) as admin:
        partitions = [TopicPartition(topic, entry["partition_index"]) for entry in _described(admin, topic)["partitions"]]
        found = admin.list_partition_offsets(dict.fromkeys(partitions, spec))
        return {tp.partition: result.offset for tp, result in found.items()}


def _described(admin: KafkaAdminClient, topic: str) -> dict[str, Any]:
    description: dict[str, Any] = next(iter(admin.describe_topics([topic])), {})
    if description.get("error_code", 0) or not description.get("partitions"):
        raise BusError(f"topic {topic!r}: expected it to exist, the broker answers {kafka_errors.for_code(description.get('error_code', 3)).__name__}")
    return description


@contextmanager
def _admin(settings: Settings, wait_s: float = 10) -> Iterator[KafkaAdminClient]:
    with patiently(partial(KafkaAdminClient, **client_options(settings)), settings, wait_s) as admin, translated(settings):
        yield admin
