"""Migrates the tables, then follows `inspections` into Redis, SQL and the history until told to stop."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from services.bus import topics
from services.bus.errors import BusError, FencedError
from services.bus.record import Partition
from services.bus.subscriber import KafkaSubscriber
from services.contract import settings as contract
from services.contract.batch import Store
from services.contract.logs import configure_logging
from services.contract.settings import Settings
from services.contract.stopping import stop_event
from services.history.catalog import Catalog
from services.history.errors import HistoryError
from services.history.keeping import Keeping
from services.history.writer import HistoryWriter
from services.recorder.follower import Follower, Source
from services.recorder.gathering import Gathering
from services.recorder.history import HistoryUpkeep
from services.recorder.upkeep import Upkeep
from services.records.errors import RecordsError
from services.records.migrations import migrate
from services.records.store import Records
from services.results.connection import ResultsError, connect
from services.results.live import LiveWriter

log = logging.getLogger("services.recorder")

MIGRATE_WITHIN_S = 60.0
RESTART_AFTER_S = 1.0
MEMBER = "recorder"
"""Of all groups, and static: a recorder that was killed gets its partitions back at once, not when its session has expired."""


def main() -> int:
    configure_logging("recorder")
    stop = stop_event()
    try:
        settings = contract.load()
        _migrate(settings, stop)
        return run(settings, stop)
    except (contract.SettingsError, RecordsError) as error:
        log.error("%s", error)
        return 1


def run(settings: Settings, stop: threading.Event) -> int:
    """Returns after `stop` is set and everything in hand is written: 0, or 1 where a duty died."""
    names = settings.names
    records, redis = Records(settings.records_url), connect(settings)
    live = LiveWriter(redis, names, live_length=settings.redis.live_length)
    catalog = Catalog(settings.history_path)
    history = HistoryWriter(catalog, min_free_mb=settings.history.min_free_mb)
    gather = partial(Gathering, records=settings.history.write_rows, seconds=settings.history.write_every_s)
    duties: list[Callable[[], None]] = [
        Upkeep(settings, records, redis, stop).run,
        partial(_follow, settings, names.live_group, live, ResultsError, stop),
        partial(_follow, settings, names.records_group, records.flagged, RecordsError, stop),
        partial(_follow, settings, names.history_group, history, HistoryError, stop, gather),
        HistoryUpkeep(history, Keeping(catalog, settings.history), redis, names, stop).run,
    ]
    died: list[Exception] = []
    threads = [threading.Thread(target=_guarded, args=(duty, stop, died)) for duty in duties]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records.close()
    redis.close()
    catalog.close()
    return 1 if died else 0


def _follow(
    settings: Settings, group: str, store: Store, failure: type[Exception], stop: threading.Event, gather: Callable[[Source], Source] = lambda source: source
) -> None:
    def goes_on(topic_id: str, partition: int) -> int:
        return store.position(topic_id, partition) + 1

    def begins_at(partition: Partition) -> int:
        return topics.begin_offsets(settings, partition.topic)[partition.partition]

    while not stop.is_set():
        try:
            topics.ensure_topics(settings)
            subscriber = KafkaSubscriber(settings, [settings.names.inspections], group, instance_id=MEMBER, goes_on=goes_on)
        except BusError as error:
            log.info("%s: waiting for Kafka: %s", group, error)
            stop.wait(RESTART_AFTER_S)
            continue
        try:
            Follower(group, gather(subscriber), store, stop, begins_at=begins_at, failures=(failure,)).run()
        except FencedError:
            raise  # a second recorder would take turns with us for ever
        except BusError as error:
            log.warning("%s: joining again: %s", group, error)
            stop.wait(RESTART_AFTER_S)
        finally:
            subscriber.close()


def _guarded(duty: Callable[[], None], stop: threading.Event, died: list[Exception]) -> None:
    """A duty that dies takes the process with it, so that it is seen and started again."""
    try:
        duty()
    except FencedError as error:
        log.error("the recorder ends, another one took its place: %s", error)
        died.append(error)
    except Exception as error:
        log.exception("the recorder ends: one of its duties died")
        died.append(error)
    stop.set()


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


if __name__ == "__main__":
    sys.exit(main())
