"""Files and folders that others see whole or not at all, whenever whoever writes them is killed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Written aside, brought to the disk, renamed. The name aside is always the same: one writer of a path at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.writing")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)


@contextmanager
def whole_folder(target: Path, *, prefix: str) -> Iterator[Path]:
    """A folder beside `target`, hidden by its prefix, that becomes it at the end of the block, and nothing on an exception."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        yield aside
        aside.chmod(0o755)  # mkdtemp makes it private; a training may run as somebody else
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
