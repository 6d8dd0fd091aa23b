"""`python -m services.ingest`: cameras as threads, pushes over HTTP, one producer for both. Ends on SIGTERM once what is on its way has arrived."""

import logging
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial

import uvicorn

from services.bus.publisher import KafkaPublisher, Publisher
from services.bus.topics import ensure_topics
from services.contract.logs import configure_logging
from services.contract.settings import Settings, SettingsError, load
from services.ingest.application import create_app
from services.ingest.outlet import Outlet
from services.ingest.plant import Plant
from services.ingest.push import Intake
from services.records.store import Records
from services.results.connection import connect

log = logging.getLogger("services.ingest")

NEVER_GIVE_UP_S = 7 * 86_400
"""A frame that was taken is kept until the broker is back: the bound on memory says when to stop taking more."""
STALLED_S = 10.0
FLUSH_S = 8.0


def main() -> int:
    configure_logging("ingest")
    try:
        settings = load()
        ingest = Ingest(settings)
    except SettingsError as error:
        log.error("%s", error)
        return 2
    return ingest.run()


class Ingest:
    """Wires the parts. Raises SettingsError where an address is missing."""

    def __init__(self, settings: Settings) -> None:
        self._stopping = threading.Event()
        self._outlet = Outlet(settings.names.frames, partial(_publisher, settings, settings.kafka_servers))
        self._plant = Plant(Records(settings.records_url), connect(settings), settings.names, self._outlet)
        self._server = _server(settings, self._intake(settings), self.waits_for)

    def run(self) -> int:
        """Until SIGTERM or SIGINT. uvicorn catches them, and raises them again when it is done: then they must not end us yet."""
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, lambda *_: self._stopping.set())
        threads = [
            threading.Thread(target=self._outlet.connect, args=(self._stopping,), name="kafka", daemon=True),
            threading.Thread(target=self._plant.run, args=(self._stopping,), name="plant"),
        ]
        for thread in threads:
            thread.start()
        try:
            self._server.run()
        finally:
            self._stopping.set()
            threads[1].join()
            self._outlet.close(FLUSH_S)
        log.info("ended")
        return 0 if self._server.started else 1

    def waits_for(self) -> list[str]:
        waiting = {
            "kafka": not self._outlet.connected or self._outlet.stalled_s > STALLED_S,
            "records": not self._plant.read_once.is_set(),
        }
        return [name for name, waits in waiting.items() if waits]

    def _intake(self, settings: Settings) -> Intake:
        return Intake(
            self._outlet,
            lambda: self._plant.layout,
            self._plant.tally,
            max_picture_bytes=int(min(settings.inspection.max_frame_mb, settings.kafka.max_message_mb) * 2**20),
            max_uploading_bytes=_bound(settings),
        )


def _publisher(settings: Settings, servers: str) -> Publisher:
    log.info("connecting to kafka at %s", servers)
    ensure_topics(settings, wait_s=5)
    return KafkaPublisher(settings, max_unacknowledged_bytes=_bound(settings), delivery_timeout_s=NEVER_GIVE_UP_S, wait_s=5)


def _bound(settings: Settings) -> int:
    return int(settings.ingest.max_unacknowledged_mb * 2**20)


def _server(settings: Settings, intake: Intake, waits_for: Callable[[], list[str]]) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(settings.ingest, intake, waits_for),
        host=settings.ingest.host,
        port=settings.ingest.port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    return uvicorn.Server(config)


if __name__ == "__main__":
    sys.exit(main())
