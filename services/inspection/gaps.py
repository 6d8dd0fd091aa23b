"""Micro-batches of one replica -> the gaps between them, for work that must not make a frame wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gaps:
    """`busy` belongs to one event loop; `wait` to any other thread."""

    def __init__(self) -> None:
        self._batches = 0
        self._open = threading.Event()
        self._open.set()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """For as long as a micro-batch is here."""
        self._batches += 1
        self._open.clear()
        try:
            yield
        finally:
            self._batches -= 1
            if not self._batches:
                self._open.set()

    def wait(self, longest_s: float) -> bool:
        """Returns in a gap, or after so long in none; whether it is one."""
        return self._open.wait(longest_s)
