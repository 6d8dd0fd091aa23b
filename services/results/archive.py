"""The archive of pictures: bytes -> `frames/ab/<sha256>`, `maps/...` or `masks/...` on a disk or an object store.

Named by content, so writing twice is harmless; written aside and renamed, so nobody reads half a picture.
Two limits drop the oldest: an age, and a size. What a verdict, dataset or golden set uses is pinned and stays.
"""

import hashlib
import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import fsspec
from fsspec.implementations.local import LocalFileSystem

from services.contract.settings import Settings

log = logging.getLogger(__name__)
Kind = Literal["frames", "maps", "masks"]
"""Pictures, what the detector saw in them (0..255), and what a person says is defective (0 or 255)."""
KINDS = get_args(Kind)
PATH_PATTERN = re.compile(rf"({'|'.join(KINDS)})/([0-9a-f]{{2}})/(\2[0-9a-f]{{62}})")
INCOMING = ".incoming"
SPARED_S = 3600.0
"""Never dropped for its size while this young: its inspection may still be on its way."""


class ArchiveError(Exception):
    """The archive would not store or find something: full, not reachable, dropped."""


@dataclass(frozen=True, slots=True)
class Stored:
    path: str
    size: int
    stored_at: float


@dataclass(frozen=True, slots=True)
class Swept:
    files: int
    bytes: int
    dropped_files: int
    dropped_bytes: int


class Archive:
    """Puts, gets and sweeps. Nothing is opened before the first use."""

    def __init__(self, settings: Settings, *, now: Callable[[], float] = time.time) -> None:
        self._url, self._limits, self._now = settings.archive_url, settings.archive, now
        self._opened: tuple[Any, str] | None = None

    def put(self, kind: Kind, content: bytes) -> str:
        """Stores content and returns its path; ArchiveError when it cannot be stored (a full disk)."""
        digest = hashlib.sha256(content).hexdigest()
        path = f"{kind}/{digest[:2]}/{digest}"
        try:
            self._put(path, content)
        except OSError as error:
            raise ArchiveError(f"archive {self._url}: cannot store {path} ({len(content)} bytes): {error}") from error
        return path

    def get(self, path: str) -> bytes:
        """Content of a path that `put` returned; ArchiveError when it is gone."""
        if not PATH_PATTERN.fullmatch(path):
            raise ArchiveError(f"archive path: expected {' or '.join(f'{kind}/ab/<sha256>' for kind in KINDS)}, got {path!r}")
        filesystem, root = self._open()
        try:
            content: bytes = filesystem.cat_file(f"{root}/{path}")
        except OSError as error:
            raise ArchiveError(f"archive {self._url}: cannot read {path}: {error}") from error
        return content

    def sweep(self, pinned: Collection[str] = ()) -> Swept:
        """Drops what is older than the age limit, then the oldest until the size fits; never what is pinned or an hour young."""
        stored = sorted(self._stored(), key=lambda one: one.stored_at)
        over = sum(one.size for one in stored) - int(self._limits.max_gb * 1e9)
        oldest, spared = self._now() - self._limits.max_age_days * 86_400, self._now() - SPARED_S
        dropped = []
        for one in stored:
            too_much = over > 0 and one.stored_at < spared
            if (one.stored_at < oldest or too_much) and one.path not in pinned and self._drop(one.path):
                over -= one.size
                dropped.append(one)
        self._drop_abandoned()
        return Swept(len(stored), sum(one.size for one in stored), len(dropped), sum(one.size for one in dropped))

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            filesystem, root = fsspec.core.url_to_fs(self._url)
            self._opened = filesystem, str(root).rstrip("/")
        return self._opened

    def _put(self, path: str, content: bytes) -> None:
        filesystem, root = self._open()
        if isinstance(filesystem, LocalFileSystem):
            _put_file(Path(root), path, content)
        else:  # an object store shows all of an object or nothing
            filesystem.pipe_file(f"{root}/{path}", content)

    def _stored(self) -> Iterator[Stored]:
        filesystem, root = self._open()
        for kind in KINDS:
            found = filesystem.find(f"{root}/{kind}", detail=True) if filesystem.isdir(f"{root}/{kind}") else {}
            for name, details in found.items():
                if match := PATH_PATTERN.search(name):
                    yield Stored(match.group(0), int(details["size"]), _stored_at(details))

    def _drop(self, path: str) -> bool:
        filesystem, root = self._open()
        try:
            filesystem.rm_file(f"{root}/{path}")
        except FileNotFoundError:
            return False
        except OSError as error:
            log.warning("archive: cannot drop %s: %s", path, error)
            return False
        return True

    def _drop_abandoned(self) -> None:
        """What a killed process left half written."""
        filesystem, root = self._open()
        if not isinstance(filesystem, LocalFileSystem) or not (folder := Path(root, INCOMING)).is_dir():
            return
        for path in folder.iterdir():
            if path.stat().st_mtime < self._now() - SPARED_S:
                path.unlink(missing_ok=True)


def _put_file(root: Path, path: str, content: bytes) -> None:
    target = root / path
    try:
        os.utime(target)  # already there: young again, since something new refers to it
        return
    except FileNotFoundError:
        pass
    incoming = root / INCOMING / uuid.uuid4().hex
    incoming.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with incoming.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        incoming.rename(target)
    finally:
        incoming.unlink(missing_ok=True)


def _stored_at(details: dict[str, Any]) -> float:
    """Local disks say mtime; object stores LastModified or created."""
    moment = next((details[name] for name in ("mtime", "LastModified", "last_modified", "created") if name in details), 0.0)
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)
