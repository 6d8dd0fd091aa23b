"""Keeps Redis' word on what judges a line true to SQL, seeds what is missing, and keeps the archive within its bounds."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from services.contract.settings import Settings
from services.recorder.seeding import seed
from services.records.collecting import Collecting
from services.records.database import Database
from services.records.errors import RecordsError
from services.records.reviews import Reviews
from services.records.store import Records
from services.results.active import get_actives, remove_active, set_active
from services.results.archive import Archive, ArchiveError
from services.results.connection import Redis, ResultsError
from services.results.dataset_pictures import pinned_by_datasets

log = logging.getLogger(__name__)

TURN_S = 0.5
PUBLISH_EVERY_S = 1.0
SEED_EVERY_S = 10.0
SWEEP_EVERY_S = 300.0


@dataclass(slots=True)
class _Duty:
    run: Callable[[], None]
    every_s: float
    next_at: float = 0.0
    problem: str = ""


class Upkeep:
    """One thread of small duties; one that fails is told once and tried again at its next turn, and keeps no other from its own."""

    def __init__(self, settings: Settings, records: Records, redis: Redis, stop: threading.Event) -> None:
        self._settings, self._records, self._redis, self._stop = settings, records, redis, stop
        database = Database(settings.records_url)
        self._archive, self._reviews, self._collecting = Archive(settings), Reviews(database), Collecting(database)
        self._duties = [_Duty(self.seed, SEED_EVERY_S), _Duty(self.publish, PUBLISH_EVERY_S), _Duty(self.sweep, SWEEP_EVERY_S)]
        self._told: set[str] = set()
        self._published: set[str] = set()

    def run(self) -> None:
        while not self._stop.is_set():
            for duty in self._duties:
                if time.monotonic() >= duty.next_at:
                    duty.next_at = time.monotonic() + duty.every_s
                    _attempt(duty)
            self._stop.wait(TURN_S)

    def seed(self) -> None:
        problems = set(seed(self._settings, self._records))
        for problem in problems - self._told:
            log.warning("%s", problem)
        self._told = problems

    def publish(self) -> None:
        """SQL is right: whatever Redis says differently, or no longer says, is said again."""
        decided = {active.line: active for active in self._records.actives()}
        said = get_actives(self._redis, self._settings.names, decided)
        for line, active in decided.items():
            if said.get(line) != active:
                set_active(self._redis, self._settings.names, active)
                log.info("line %s: %s", line, _words(active.paused, active.model_version))
        for line in self._published - decided.keys():
            remove_active(self._redis, self._settings.names, line)
        self._published = set(decided)

    def sweep(self) -> None:
        """What people answered stays, with the masks that they drew, and what dataset versions and first trainings are made of."""
        pinned = self._reviews.pinned() | self._collecting.pinned() | pinned_by_datasets(self._settings.datasets_path)
        swept = self._archive.sweep(pinned)
        log.info("archive: %d files, %d MB; dropped %d, %d MB", swept.files, swept.bytes // 10**6, swept.dropped_files, swept.dropped_bytes // 10**6)


def _attempt(duty: _Duty) -> None:
    problem = ""
    try:
        duty.run()
    except (RecordsError, ResultsError, ArchiveError, OSError) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem != duty.problem:
        log.log(logging.WARNING if problem else logging.INFO, "%s: %s", duty.run.__name__, problem or "goes on")
    duty.problem = problem


def _words(paused: bool, version: str | None) -> str:
    if paused:
        return "paused: frames are recorded"
    return f"judged by {version[:12]}" if version else "no model: frames are recorded"
