"""Migrates the tables, then follows `inspections` into Redis and SQL until told to stop."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

from services.bus.errors import BusError
from services.bus.subscriber import KafkaSubscriber
from services.bus.topics import topic_id
from services.contract import settings as contract
from services.contract.logs import configure_logging
from services.contract.settings import Settings
from services.recorder.follower import Follower, Sink
from services.recorder.sinks import LiveSink, RecordsSink
from services.recorder.upkeep import Upkeep
from services.records.errors import RecordsError
from services.records.migrations import migrate
from services.records.store import Records
from services.results.connection import connect
from services.results.live import LiveWriter

log = logging.getLogger("services.recorder")

MIGRATE_WITHIN_S = 60.0
RESTART_AFTER_S = 1.0


def main() -> int:
    configure_logging("recorder")
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, partial(_asked_to_stop, stop))
    try:
        settings = contract.load()
        _migrate(settings, stop)
    except (contract.SettingsError, RecordsError) as error:
        log.error("%s", error)
        return 1
    run(settings, stop)
    return 0


def run(settings: Settings, stop: threading.Event) -> None:
    """Returns after `stop` is set and everything in hand is written."""
    names = settings.names
    records, redis = Records(settings.records_url), connect(settings)
    live: Sink = LiveSink(LiveWriter(redis, names, live_length=settings.redis.live_length))
    duties: list[Callable[[], None]] = [
        Upkeep(settings, records, redis, stop).run,
        partial(_follow, settings, "live view", names.live_group, live, stop),
        partial(_follow, settings, "records", names.records_group, RecordsSink(records), stop),
    ]
    threads = [threading.Thread(target=_guarded, args=(duty, stop)) for duty in duties]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records.close()
    redis.close()


def _follow(settings: Settings, name: str, group: str, sink: Sink, stop: threading.Event) -> None:
    topic = settings.names.inspections
    while not stop.is_set():
        try:
            subscriber = KafkaSubscriber(settings, [topic], group)
        except BusError as error:
            log.info("%s: waiting for Kafka: %s", name, error)
            stop.wait(RESTART_AFTER_S)
            continue
        try:
            Follower(name, subscriber, sink, partial(topic_id, settings, topic), stop).run()
        except BusError as error:
            log.warning("%s: joining again: %s", name, error)
            stop.wait(RESTART_AFTER_S)
        finally:
            subscriber.close()


def _guarded(duty: Callable[[], None], stop: threading.Event) -> None:
    """A duty that dies of a defect takes the process with it, so that it is seen and started again."""
    try:
        duty()
    except Exception:
        log.exception("the recorder ends: one of its duties died")
        _failed.set()
        stop.set()


_failed = threading.Event()


def _migrate(settings: Settings, stop: threading.Event) -> None:
    deadline = time.monotonic() + MIGRATE_WITHIN_S
    while not stop.is_set():
        try:
            migrate(settings.records_url)
            return
        except RecordsError as error:
            if time.monotonic() > deadline:
                raise
            log.info("waiting for the records: %s", error)
            stop.wait(RESTART_AFTER_S)


def _asked_to_stop(stop: threading.Event, number: int, frame: FrameType | None) -> None:
    stop.set()


if __name__ == "__main__":
    code = main()
    sys.exit(1 if _failed.is_set() else code)
