"""What the pages are told of a camera: up or down, why, and how many of its frames the broker acknowledged or never got."""

import threading
from datetime import UTC, datetime
from typing import Literal

from services.results.sources import SourceState


class Tally:
    """Written by the camera's thread and by the publisher's, read by the one that reports."""

    def __init__(self) -> None:
        self.state: Literal["up", "down"] = "up"
        self.error = ""
        self.sent = self.dropped = 0
        self._lock = threading.Lock()

    def count_sent(self) -> None:
        with self._lock:
            self.sent += 1

    def count_dropped(self) -> None:
        with self._lock:
            self.dropped += 1

    def up(self, warning: str = "") -> None:
        self.state, self.error = "up", warning

    def down(self, error: str) -> None:
        self.state, self.error = "down", error

    def report(self, *, paused: bool) -> SourceState:
        """A paused line's cameras go on: their frames are recorded, not judged."""
        state = "paused" if paused and self.state == "up" else self.state
        return SourceState(state=state, at=datetime.now(UTC), error=self.error, sent=self.sent, dropped=self.dropped)
