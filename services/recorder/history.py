"""The history's upkeep beside its writer: says how it goes, merges files, drops old days."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from services.contract.names import Names
from services.history.errors import HistoryError
from services.history.keeping import Keeping
from services.history.writer import HistoryWriter
from services.results.connection import Redis, ResultsError
from services.results.history_state import HistoryState, write_history_state

log = logging.getLogger(__name__)

SAY_EVERY_S = 5.0
KEEP_EVERY_S = 60.0


class HistoryUpkeep:
    """One thread; whatever fails is told once and tried again at its next turn."""

    def __init__(self, writer: HistoryWriter, keeping: Keeping, redis: Redis, names: Names, stop: threading.Event) -> None:
        self._writer, self._keeping, self._redis, self._names, self._stop = writer, keeping, redis, names, stop
        self._keep_at = 0.0
        self._told: dict[Callable[[], None], str] = {}

    def run(self) -> None:
        while not self._stop.is_set():
            if time.monotonic() >= self._keep_at:
                self._keep_at = time.monotonic() + KEEP_EVERY_S
                self._attempt(self._keeping.turn)
            self._attempt(self.say)
            self._stop.wait(SAY_EVERY_S)

    def say(self) -> None:
        write_history_state(self._redis, self._names, HistoryState(at=datetime.now(UTC), problem=self._writer.problem))

    def _attempt(self, duty: Callable[[], None]) -> None:
        problem = ""
        try:
            duty()
        except (HistoryError, ResultsError) as error:
            problem = str(error)
        if problem != self._told.get(duty, ""):
            log.log(logging.WARNING if problem else logging.INFO, "history: %s", problem or "goes on")
        self._told[duty] = problem
