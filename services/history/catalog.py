"""`manifest.json`: which Parquet files are the history, and how far it goes. Replaced as one, so each change happens whole or not at all.

A file that the manifest does not name is no part of the history, however complete it looks: a writer puts its files there first and names
them afterwards, in the same breath as its position. Readers go by the manifest too, so that they never see a merge half done.
"""

import fcntl
import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from threading import RLock
from typing import Any, Self

import pyarrow.parquet as pq

from services.history.errors import HistoryError

log = logging.getLogger(__name__)

MANIFEST, LOCK, INCOMING = "manifest.json", ".writer", ".incoming"
KEPT_FOR_READERS_S = 300.0
"""A file that was merged away or dropped stays this long, for whoever reads by an older manifest."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One Parquet file: of one line and one day."""

    path: str
    line: str
    day: str
    rows: int
    bytes: int
    added_at: float

    @property
    def date(self) -> date:
        return date.fromisoformat(self.day)


@dataclass(frozen=True, slots=True)
class Manifest:
    files: tuple[StoredFile, ...] = ()
    read: Mapping[str, int] = field(default_factory=dict)
    """`inspections` topic id/partition -> last offset that is in it."""
    written: Mapping[str, int] = field(default_factory=dict)
    """Frames topic id/partition -> highest source offset in it: the first record of a frame counts."""
    gone: Mapping[str, float] = field(default_factory=dict)
    """Files that are no longer part of it -> since when."""

    def without(self, files: Iterable[StoredFile], now: float) -> Self:
        lost = {one.path for one in files}
        return replace(self, files=tuple(one for one in self.files if one.path not in lost), gone={**self.gone, **dict.fromkeys(lost, now)})

    def to_json(self) -> bytes:
        return json.dumps({**asdict(self), "schema_version": 1}, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        read: dict[str, Any] = json.loads(text)
        files = tuple(StoredFile(**{name: one[name] for name in StoredFile.__dataclass_fields__}) for one in read["files"])
        return cls(files, read["read"], read["written"], read["gone"])


def read_manifest(folder: Path) -> Manifest:
    """What readers go by; empty where nothing was written yet. Raises HistoryError."""
    try:
        return Manifest.from_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return Manifest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HistoryError(f"history {folder}: cannot read {MANIFEST}: {error}") from error


class Catalog:
    """The one writer's hold on the history; a second process is refused. Raises HistoryError."""

    def __init__(self, folder: Path, *, now: Callable[[], float] = time.time) -> None:
        self.folder, self._now = folder, now
        self._lock, self._holds = RLock(), -1
        self._manifest: Manifest | None = None

    @property
    def manifest(self) -> Manifest:
        """Read once, and again where somebody emptied the folder."""
        with self._lock:
            if self._manifest is None or not (self.folder / MANIFEST).exists():
                self._manifest = self._open()
            return self._manifest

    def change(self, make: Callable[[Manifest], Manifest]) -> Manifest:
        """On the disk when this returns."""
        with self._lock:
            changed = make(self.manifest)
            with explained(self.folder):
                self._replace(changed)
            self._manifest = changed
            return changed

    def write_file(self, path: str, write: Callable[[Path], None]) -> int:
        """`write` fills a file aside, which is then under its own name, on the disk, and no part of the history yet. Returns its bytes."""
        incoming, target = self.folder / INCOMING / uuid.uuid4().hex, self.folder / path
        with explained(self.folder):
            try:
                incoming.parent.mkdir(parents=True, exist_ok=True)
                target.parent.mkdir(parents=True, exist_ok=True)
                write(incoming)
                _sync(incoming)
                size = incoming.stat().st_size
                incoming.rename(target)
                _sync(target.parent)
                return size
            finally:
                incoming.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Deletes what stopped being part of the history long enough ago, and the folders that this empties."""
        now = self._now()
        with self._lock, explained(self.folder):
            old = {path for path, since in self.manifest.gone.items() if since + KEPT_FOR_READERS_S < now}
            for path in old:
                self._delete(self.folder / path)
            if old:
                self.change(lambda one: replace(one, gone={path: since for path, since in one.gone.items() if path not in old}))

    def close(self) -> None:
        with self._lock:
            if self._holds >= 0:
                os.close(self._holds)
            self._holds, self._manifest = -1, None

    def _open(self) -> Manifest:
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._hold()
            found = read_manifest(self.folder)
            if not (self.folder / MANIFEST).exists():
                found = self._recovered()
                self._replace(found)
            self._delete_unnamed(found)
            return found

    def _hold(self) -> None:
        """Ends with the process, however that ends."""
        if self._holds >= 0:
            os.close(self._holds)
            self._holds = -1
        holds = os.open(self.folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(holds, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(holds)
            raise HistoryError(f"history {self.folder}: another recorder writes it") from error
        self._holds = holds

    def _replace(self, manifest: Manifest) -> None:
        aside = self.folder / f".{MANIFEST}"
        with aside.open("wb") as file:
            file.write(manifest.to_json())
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self.folder / MANIFEST)
        _sync(self.folder)

    def _recovered(self) -> Manifest:
        """Somebody lost the manifest: every readable file counts, and nothing that is in one is written again."""
        found = [(path, pq.ParquetFile(path)) for path in sorted(self.folder.glob("line=*/day=*/*.parquet"))]
        if found:
            log.warning("history: the manifest is gone, made again from %d files", len(found))
        written: dict[str, int] = {}
        for _, file in found:
            for batch in file.iter_batches(columns=["source_topic_id", "source_partition", "source_offset"]):
                for topic_id, partition, offset in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    place = f"{topic_id}/{partition}"
                    written[place] = max(written.get(place, -1), offset)
        return Manifest(tuple(self._described(path, file.metadata.num_rows) for path, file in found), written=written)

    def _described(self, path: Path, rows: int) -> StoredFile:
        line, day = (folder.partition("=")[2] for folder in path.relative_to(self.folder).parts[:2])
        return StoredFile(path.relative_to(self.folder).as_posix(), line, day, rows, path.stat().st_size, self._now())

    def _delete_unnamed(self, manifest: Manifest) -> None:
        """What a killed writer had not named yet: it is read again, from where the manifest stands."""
        named = {one.path for one in manifest.files} | manifest.gone.keys()
        for path in (*self.folder.glob("line=*/day=*/*.parquet"), *(self.folder / INCOMING).glob("*")):
            if path.relative_to(self.folder).as_posix() not in named:
                self._delete(path)

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        for folder in (path.parent, path.parent.parent):
            if folder != self.folder and folder.name.startswith(("day=", "line=")) and not any(folder.iterdir()):
                folder.rmdir()


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """What the disk refuses, as a HistoryError that names the folder."""
    try:
        yield
    except OSError as error:
        raise HistoryError(f"history {folder}: {error}") from error


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
