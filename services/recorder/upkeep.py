"""Keeps Redis' word on what judges a line true to SQL, seeds what is missing, and keeps the archive within its bounds."""

import logging
import threading
import time

from services.contract.settings import Settings
from services.recorder.seeding import seed_or_log
from services.records.errors import RecordsError
from services.records.store import Records
from services.results.active import get_actives, set_active
from services.results.archive import Archive, ArchiveError
from services.results.connection import Redis, ResultsError

log = logging.getLogger(__name__)

PUBLISH_EVERY_S = 1.0
SEED_EVERY_S = 10.0
SWEEP_EVERY_S = 300.0


class Upkeep:
    """One thread of small duties; each failing one is tried again at its next turn."""

    def __init__(self, settings: Settings, records: Records, redis: Redis, stop: threading.Event) -> None:
        self._settings, self._records, self._redis, self._stop = settings, records, redis, stop
        self._told: set[str] = set()
        self._next: dict[str, float] = {}

    def run(self) -> None:
        while not self._stop.is_set():
            if self._due("seed", SEED_EVERY_S):
                seed_or_log(self._settings, self._records, self._told)
            try:
                self.publish()
                if self._due("sweep", SWEEP_EVERY_S):
                    self.sweep()
            except (RecordsError, ResultsError, ArchiveError) as error:
                log.warning("%s", error)
            self._stop.wait(PUBLISH_EVERY_S)

    def publish(self) -> None:
        """SQL is right: whatever Redis says differently, or no longer says, is said again."""
        decided = {active.line: active for active in self._records.actives()}
        said = get_actives(self._redis, self._settings.names, decided)
        for line, active in decided.items():
            if said.get(line) != active:
                set_active(self._redis, self._settings.names, active)
                log.info("line %s: %s", line, _words(active.paused, active.model_version))

    def sweep(self) -> None:
        swept = Archive(self._settings).sweep()
        log.info("archive: %s", swept)

    def _due(self, duty: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._next.get(duty, 0.0):
            return False
        self._next[duty] = now + every_s
        return True


def _words(paused: bool, version: str | None) -> str:
    if paused:
        return "paused: frames are recorded"
    return f"judged by {version[:12]}" if version else "no model: frames are recorded"
