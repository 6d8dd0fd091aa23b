"""Many small files -> one for each line and closed day, sorted by time; and the oldest days go when they are too old or too many.

DuckDB merges within its memory limit, however large a day is. The merged file takes the place of what it was made of in one change of the manifest.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path

import duckdb

from services.contract.settings import HistorySettings
from services.history.catalog import Catalog, Manifest, StoredFile
from services.history.errors import HistoryError

log = logging.getLogger(__name__)

MOST_SMALL = 40
"""Small files that a day which still runs may have before they are merged: a search opens each of them."""
SMALL_BYTES = 8 * 10**6
SETTLED_S = 600.0
"""A day is merged when nothing was added for so long after its end: a recorder that catches up would have it merged again and again."""
MERGING: dict[str, str | int | float | list[str]] = {"memory_limit": "256MB", "threads": 1, "preserve_insertion_order": False}


class Keeping:
    """Raises HistoryError."""

    def __init__(self, catalog: Catalog, limits: HistorySettings, *, now: Callable[[], float] = time.time) -> None:
        self._catalog, self._limits, self._now = catalog, limits, now

    def turn(self) -> None:
        """Merges, drops, and deletes what nobody reads any more."""
        for files in list(_mergeable(self._catalog.manifest, self._now())):
            self._merge(files)
        self._drop()
        self._catalog.tidy()

    def _merge(self, files: Sequence[StoredFile]) -> None:
        started_at, first = time.monotonic(), files[0]
        path = f"line={first.line}/day={first.day}/merged.{uuid.uuid4().hex}.parquet"
        size = self._catalog.write_file(path, lambda to: _merged(self._catalog.folder, files, to))
        merged = StoredFile(path, first.line, first.day, sum(one.rows for one in files), size, self._now())

        def change(manifest: Manifest) -> Manifest:
            without = manifest.without(files, self._now())
            return replace(without, files=(*without.files, merged))

        self._catalog.change(change)
        told = (first.line, first.day, len(files), merged.rows, time.monotonic() - started_at)
        log.info("history: line %s, %s: %d files merged into one of %d rows in %.1f s", *told)

    def _drop(self) -> None:
        dropped = _too_old(self._catalog.manifest, self._limits, _today(self._now()))
        if dropped:
            self._catalog.change(lambda manifest: manifest.without(dropped, self._now()))
            days = sorted({one.day for one in dropped})
            log.info("history: dropped %d days, %s to %s, %d MB", len(days), days[0], days[-1], sum(one.bytes for one in dropped) // 10**6)


def _mergeable(manifest: Manifest, now: float) -> Iterator[list[StoredFile]]:
    closed = _today(now - SETTLED_S)
    for _, group in groupby(sorted(manifest.files, key=lambda one: (one.line, one.day, one.path)), key=lambda one: (one.line, one.day)):
        files = list(group)
        small = [one for one in files if one.bytes < SMALL_BYTES]
        if len(files) > 1 and files[0].date < closed and all(one.added_at + SETTLED_S < now for one in files):
            yield files
        elif len(small) >= MOST_SMALL:
            yield small


def _merged(folder: Path, files: Sequence[StoredFile], to: Path) -> None:
    try:
        with duckdb.connect(":memory:", config={**MERGING, "temp_directory": str(to.with_suffix(".tmp"))}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(
                "COPY (SELECT * FROM read_parquet($files, union_by_name = true, hive_partitioning = false) ORDER BY inspected_at, frame_id)"
                " TO $target (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 50000)",
                {"files": [str(folder / one.path) for one in files], "target": str(to)},
            )
    except duckdb.Error as error:
        raise HistoryError(f"history {folder}: cannot merge {len(files)} files of line {files[0].line}, {files[0].day}: {error}") from error


def _too_old(manifest: Manifest, limits: HistorySettings, today: date) -> list[StoredFile]:
    """Whole days of all lines, the oldest first; the day that runs and the one before it stay whatever their size."""
    oldest, over = today - timedelta(days=limits.max_age_days), sum(one.bytes for one in manifest.files) - limits.max_gb * 1e9
    dropped: list[StoredFile] = []
    for day, group in groupby(sorted(manifest.files, key=lambda one: one.day), key=lambda one: one.date):
        if day < oldest or (over > 0 and day < today - timedelta(days=1)):
            files = list(group)
            over -= sum(one.bytes for one in files)
            dropped += files
    return dropped


def _today(now: float) -> date:
    return datetime.fromtimestamp(now, UTC).date()
