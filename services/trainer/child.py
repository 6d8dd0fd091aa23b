"""A process that works on one job, and ends when whoever started it does, however that came about: its standard input closes."""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

ENDS_WITHIN_S = 10.0


class Child:
    """Its output goes to `log`. It leads a session of its own, so that its priority is its own too."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self, within_s: float) -> int | None:
        """The exit status, negative for a signal; None while it still works after so long."""
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        self._process.terminate()
        if self.ended(ENDS_WITHIN_S) is None:
            self._process.kill()
        self._process.communicate()


def end_with_parent() -> None:
    """To be called by the child."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    while os.read(0, 1024):  # not through sys.stdin, whose lock would be held when the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGKILL)
