"""When the next picture is due, and how long to wait before a dead source is tried again. Clocks are passed in, so that tests need no time."""

import random
import time
from collections.abc import Callable


class Pace:
    """Ticks of a camera, by a clock that nobody sets. Ticks that were missed are left out: a camera does not catch up."""

    def __init__(self, fps: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = 1 / fps if fps else 0.0
        self._clock = clock
        self._due = clock()

    def wait_s(self) -> float:
        """How long until the next picture; moves on by one tick."""
        now = self._clock()
        wait = max(self._due - now, 0.0)
        late = now - self._due > self._period
        self._due = (now if late else self._due) + self._period
        return wait


class Backoff:
    """1/2 s, 1 s, 2 s, ... 30 s, each shortened by up to a half, so that cameras of one dead share do not return as one."""

    def __init__(self, *, first_s: float = 0.5, most_s: float = 30, jitter: Callable[[], float] = random.random) -> None:
        self._first_s, self._most_s, self._jitter = first_s, most_s, jitter
        self._failures = 0

    def next_s(self) -> float:
        wait = min(self._first_s * 2.0**self._failures, self._most_s)
        self._failures = min(self._failures + 1, 30)
        return wait * (1 - self._jitter() / 2)

    def reset(self) -> None:
        self._failures = 0
