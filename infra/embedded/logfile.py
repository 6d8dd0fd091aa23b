"""Lines of one process -> a log that cannot fill the disk, and its last lines for a message."""

import contextlib
import io
from collections import deque
from pathlib import Path

MAX_BYTES = 5 * 2**20
KEPT_LINES = 40


class RotatingLog:
    """`name.log` and the one before it, `name.log.1`. A disk that is full costs lines, never the process that wrote them."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._max_bytes = max_bytes
        self._file = path.open("ab", buffering=0)
        self._recent: deque[bytes] = deque(maxlen=KEPT_LINES)

    def write(self, line: bytes) -> None:
        self._recent.append(line)
        with contextlib.suppress(OSError, ValueError):
            if self._file.tell() + len(line) > self._max_bytes:
                self._rotate()
            self._file.write(line)

    def last_lines(self, number: int = 12) -> list[str]:
        return [line.decode(errors="replace").rstrip() for line in list(self._recent)[-number:]]

    def close(self) -> None:
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._file = self._path.open("ab", buffering=0)


class LogStream(io.TextIOBase):
    """A log in place of standard output: what `loupe up` itself says when it has no terminal."""

    def __init__(self, log: RotatingLog) -> None:
        self._log = log

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._log.write(text.encode(errors="replace"))
        return len(text)
