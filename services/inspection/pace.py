"""Frames that came and went -> frames per second, smoothed over some seconds, for the pages and for scaling."""

import math
import time
from collections.abc import Callable

SMOOTHING_S = 5.0


class Rate:
    """Events per second, decaying with `SMOOTHING_S`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._at, self._weight = clock, clock(), 0.0

    def add(self, count: int) -> None:
        self._decay()
        self._weight += count / SMOOTHING_S

    def per_s(self) -> float:
        self._decay()
        return self._weight

    def _decay(self) -> None:
        now = self._clock()
        self._weight *= math.exp(-(now - self._at) / SMOOTHING_S)
        self._at = now


class Pace:
    """How fast frames arrive, are written, and come too late."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._arrived, self._wrote, self._late = Rate(clock), Rate(clock), Rate(clock)
        self.total = 0

    def arrived(self, frames: int) -> None:
        self._arrived.add(frames)

    def wrote(self, frames: int, *, late: int = 0) -> None:
        self.total += frames
        self._wrote.add(frames)
        if late:
            self._late.add(late)

    @property
    def arrivals_per_s(self) -> float:
        return self._arrived.per_s()

    @property
    def frames_per_s(self) -> float:
        return self._wrote.per_s()

    @property
    def late_per_s(self) -> float:
        return self._late.per_s()
