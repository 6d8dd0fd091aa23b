"""Something done again and again beside a test, until its block ends."""

import threading
from collections.abc import Callable


class Endless:
    def __init__(self, act: Callable[[], object], *, every_s: float) -> None:
        self._act, self._every_s, self._enough = act, every_s, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.is_set():
            self._act()
            self._enough.wait(self._every_s)
