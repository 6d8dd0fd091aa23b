"""A history in the test's own folder, at a moment that the test says."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from services.contract.batch import Batch, Wrote
from services.contract.inspection import Inspection
from services.contract.settings import HistorySettings
from services.history.catalog import Catalog
from services.history.keeping import Keeping
from services.history.writer import HistoryWriter

TOPIC = "aaaa-inspections"


@dataclass
class Clock:
    at: float = field(default_factory=lambda: datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())

    def __call__(self) -> float:
        return self.at


class History:
    """A writer with its catalog; `again` is its successor after a kill."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.clock = folder, clock
        self._open()

    def _open(self) -> None:
        self.catalog = Catalog(self.folder, now=self.clock)
        self.writer = HistoryWriter(self.catalog, min_free_mb=0, now=self.clock)

    def add(self, *inspections: Inspection, partition: int = 0) -> Wrote:
        """The next batch of a partition."""
        before = self.writer.position(TOPIC, partition)
        return self.writer.write(Batch(TOPIC, partition, before, before + len(inspections), inspections))

    def again(self) -> None:
        self.catalog.close()
        self._open()

    def keep(self, **limits: float) -> None:
        Keeping(self.catalog, HistorySettings(**limits), now=self.clock).turn()  # type: ignore[arg-type]

    def frames(self) -> list[str]:
        """All that the manifest names, in no order."""
        tables = [pq.read_table(self.folder / one.path, partitioning=None) for one in self.catalog.manifest.files]
        return sorted(frame for table in tables for frame in table["frame_id"].to_pylist())

    def on_disk(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.parquet"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(tmp_path: Path, clock: Clock) -> Iterator[History]:
    made = History(tmp_path / "history", clock)
    yield made
    made.catalog.close()
