"""Questions about the history, answered by DuckDB over its Parquet files: bounded in memory, time and rows.

Each question has a connection of its own, in memory, that may read the history's folder and nothing else. What is hidden from the caller is made
NULL before any condition is asked of it: a filter that matches a score leaves a blind check out, whatever its score is.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from services.contract.inspection import Inspection
from services.contract.settings import HistorySettings
from services.history.catalog import StoredFile, read_manifest
from services.history.errors import HistoryBusyError, HistoryError
from services.history.rows import inspection_of
from services.history.search import After, Search, newest_first

TELLING = (
    *("score", "decision", "regions", "map_kind", "model_version", "calibration_id"),
    *("archived_reason", "archived_probability", "frame_path", "map_path", "truth"),
)
"""What the machine said of a frame, or tells what it said."""
DRAWN = "blind-check"
THREADS = 2
BUCKET_S = {"hour": 3600, "day": 86_400}
MOST_BUCKETS = 800
SEEN = f"""
WITH marked AS (
    SELECT files.*, coalesce(known.hidden, files.archived_reason = '{DRAWN}', false) AS hidden
    FROM read_parquet($files, union_by_name = true, hive_partitioning = false) AS files LEFT JOIN known USING (frame_id)
),
seen AS (SELECT * REPLACE ({", ".join(f"CASE WHEN hidden THEN NULL ELSE {name} END AS {name}" for name in TELLING)}) FROM marked)
"""
COUNTS = """
SELECT epoch_us(inspected_at) // $bucket_us AS bucket, count(*) AS inspections, count(*) FILTER (decision = 'pass') AS passed,
    count(*) FILTER (decision = 'review') AS review, count(*) FILTER (decision = 'fail') AS failed, count(*) FILTER (hidden) AS hidden
"""

Row = Mapping[str, Any]
Known = Mapping[str, bool]
"""Frames of which the records know whether they are hidden from the caller; of any other, one that was drawn for a blind check is."""


@dataclass(frozen=True, slots=True)
class Count:
    """Inspections from `at` on, for an hour or a day; `hidden` are blind checks to the caller, of which no decision is counted."""

    at: datetime
    inspections: int
    passed: int
    review: int
    failed: int
    hidden: int


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is kept, from which day (UTC) to which."""

    rows: int
    bytes: int
    first_day: str | None
    last_day: str | None


class HistoryReader:
    """Blocking: for a thread. Raises HistoryError, HistoryBusyError when a question takes too long."""

    def __init__(self, folder: Path, limits: HistorySettings) -> None:
        self._folder, self._limits = folder, limits

    def extent(self) -> Extent:
        files = read_manifest(self._folder).files
        days = sorted({one.day for one in files})
        return Extent(sum(one.rows for one in files), sum(one.bytes for one in files), *((days[0], days[-1]) if days else (None, None)))

    def page(self, search: Search, known: Known, *, after: After | None = None, limit: int) -> list[Row]:
        """Newest first, as the caller may see them: `hidden` says of which they may not see what the machine said."""
        wanted = search if after is None else replace(search, until=min(search.until, _behind(after)) if search.until else _behind(after))
        conditions = search.conditions()
        asked = search.given()
        if after is not None:
            conditions.append("(inspected_at < $after_at OR (inspected_at = $after_at AND frame_id < $after_frame))")
            asked |= {"after_at": after.moment, "after_frame": after.frame_id}
        text = f"{SEEN} SELECT * FROM seen WHERE {' AND '.join(conditions) or 'true'} ORDER BY inspected_at DESC, frame_id DESC LIMIT $limit"
        found: list[Row] = []
        with self._connected(known, search.frame_ids) as connection:
            for files in newest_first(self._files(wanted)):
                found += self._rows(connection, text, files, {**asked, "limit": limit - len(found)})
                if len(found) >= limit:
                    break
        return found

    def counts(self, search: Search, known: Known, by: Literal["hour", "day"]) -> list[Count]:
        """Oldest first; the newest ones where there are too many. Hours and days without any are left out."""
        bucket_us = BUCKET_S[by] * 10**6
        where = " AND ".join(search.conditions()) or "true"
        text = f"{SEEN} {COUNTS} FROM seen WHERE {where} GROUP BY bucket ORDER BY bucket DESC LIMIT $limit"
        files = self._files(search)
        with self._connected(known, search.frame_ids) as connection:
            rows = self._rows(connection, text, files, {**search.given(), "bucket_us": bucket_us, "limit": MOST_BUCKETS}) if files else []
        return [Count(datetime.fromtimestamp(row["bucket"] * BUCKET_S[by], UTC), *(row[name] for name in Count.__slots__[1:])) for row in reversed(rows)]

    def find(self, frame_id: str, line: str) -> Inspection | None:
        """All that was kept of one frame, hidden or not: for code that redacts it."""
        text = "SELECT * FROM read_parquet($files, union_by_name = true, hive_partitioning = false) WHERE frame_id = $frame_id LIMIT 1"
        with self._connected({}) as connection:
            for files in newest_first(self._files(Search(line=line))):
                for row in self._rows(connection, text, files, {"frame_id": frame_id}):
                    return inspection_of(row)
        return None

    def _files(self, search: Search) -> list[StoredFile]:
        return [one for one in read_manifest(self._folder).files if search.may_be_in(one)]

    def _rows(self, connection: duckdb.DuckDBPyConnection, text: str, files: Sequence[StoredFile], asked: Mapping[str, Any]) -> list[Row]:
        rows: list[Row] = connection.execute(text, {**asked, "files": [str(self._folder / one.path) for one in files]}).to_arrow_table().to_pylist()
        return rows

    @contextmanager
    def _connected(self, known: Known, wanted: Collection[str] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = duckdb.connect(":memory:", config={"memory_limit": f"{self._limits.query_memory_mb}MB", "threads": THREADS})
        late = threading.Timer(self._limits.query_s, connection.interrupt)
        late.start()
        try:
            _confine(connection, self._folder)
            connection.register("known", pa.table({"frame_id": pa.array(known.keys(), pa.string()), "hidden": pa.array(known.values(), pa.bool_())}))
            connection.register("wanted", pa.table({"frame_id": pa.array(wanted or (), pa.string())}))
            yield connection
        except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
            asked = f"took longer than {self._limits.query_s:g} s" if isinstance(error, duckdb.InterruptException) else "needs more memory than it may have"
            raise HistoryBusyError(f"history: the search {asked}: ask for one line, or a shorter time") from error
        except duckdb.Error as error:
            raise HistoryError(f"history {self._folder}: {str(error).splitlines()[0]}") from error
        finally:
            late.cancel()
            connection.close()


def _confine(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Whatever a question says, it reads nothing else, writes nothing and fetches nothing."""
    connection.execute("SET TimeZone = 'UTC'")
    quoted = str(folder).replace("'", "''")  # a setting takes no parameter
    connection.execute(f"SET allowed_directories = ['{quoted}']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _behind(after: After) -> datetime:
    """Files of days after it hold nothing more."""
    return After(after.at + 1, after.frame_id).moment
