"""Micro-batches of inspections -> Parquet files, one for each line and day of a batch: the store that the recorder's third group follows into.

Files first, then the manifest with their names, the position in `inspections` and the highest source offset of each frames partition: a writer
killed in between left files that nobody named, and its successor reads and writes the same inspections again.
"""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pyarrow.parquet as pq

from services.contract.batch import NOWHERE, Batch, PositionMovedError, Wrote
from services.contract.inspection import Inspection
from services.contract.names import Names
from services.history.catalog import Catalog, Manifest, StoredFile, explained
from services.history.errors import HistoryError
from services.history.rows import day_of, table_of

log = logging.getLogger(__name__)


class HistoryWriter:
    """Raises HistoryError while the disk is full or away, PositionMovedError when the history stands elsewhere."""

    def __init__(self, catalog: Catalog, *, min_free_mb: float, now: Callable[[], float] = time.time) -> None:
        self._catalog, self._min_free_mb, self._now = catalog, min_free_mb, now
        self.problem = ""
        """Why nothing is written just now."""

    def position(self, topic_id: str, partition: int) -> int:
        try:
            return self._catalog.manifest.read.get(Names.written_field(topic_id, partition), NOWHERE)
        except HistoryError as error:
            self.problem = str(error)
            raise

    def write(self, batch: Batch) -> Wrote:
        try:
            wrote = self._write(batch)
        except HistoryError as error:
            self.problem = str(error)
            raise
        self.problem = ""
        return wrote

    def _write(self, batch: Batch) -> Wrote:
        manifest, place = self._catalog.manifest, Names.written_field(batch.topic_id, batch.partition)
        stands = manifest.read.get(place, NOWHERE)
        if stands != batch.before:
            raise PositionMovedError(stands, batch.before)
        self._refuse_a_full_disk()
        first, high = _first_records(manifest, batch.inspections)
        files = [self._write_file(line, day, inspections, batch) for line, day, inspections in _by_line_and_day(first)]
        self._catalog.change(lambda one: replace(one, files=(*one.files, *files), read={**one.read, place: batch.after}, written={**one.written, **high}))
        return Wrote(len(first), passed_over=len(batch.inspections) - len(first))

    def _write_file(self, line: str, day: str, inspections: Sequence[Inspection], batch: Batch) -> StoredFile:
        path = f"line={line}/day={day}/{batch.topic_id}.{batch.partition}.{batch.before + 1}-{batch.after}.parquet"
        table = table_of(inspections)

        def write(to: Path) -> None:
            pq.write_table(table, to, compression="zstd")

        return StoredFile(path, line, day, len(inspections), self._catalog.write_file(path, write), self._now())

    def _refuse_a_full_disk(self) -> None:
        """Before the last bytes are taken from those who share it: Kafka and SQL may stand on the same disk."""
        with explained(self._catalog.folder):
            free_mb = shutil.disk_usage(self._catalog.folder).free / 10**6
        if free_mb < self._min_free_mb:
            raise HistoryError(f"history {self._catalog.folder}: paused, expected {self._min_free_mb:g} MB free, got {free_mb:.0f} MB")


def _first_records(manifest: Manifest, inspections: Sequence[Inspection]) -> tuple[list[Inspection], dict[str, int]]:
    """Those above the highest source offset of their frames partition, and the offsets that they raise it to."""
    high: dict[str, int] = {}
    first = []
    for one in inspections:
        place = Names.written_field(one.source.topic_id, one.source.partition)
        if one.source.offset > high.get(place, manifest.written.get(place, NOWHERE)):
            high[place] = one.source.offset
            first.append(one)
    return first, high


def _by_line_and_day(inspections: Sequence[Inspection]) -> list[tuple[str, str, list[Inspection]]]:
    def place(one: Inspection) -> tuple[str, str]:
        return one.identity.line, day_of(one).isoformat()

    ordered = sorted(inspections, key=lambda one: (place(one), one.timings.written_at))
    return [(line, day, list(group)) for (line, day), group in groupby(ordered, key=place)]
