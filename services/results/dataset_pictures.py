"""What dataset versions refer to: where their pictures lie, and which of the archive must therefore stay.

Frames that came over a line stay in the archive. Imported ones lie in a store of their own below the datasets' folder, which no limit sweeps.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from services.contract.settings import Settings
from services.results.archive import Archive, ArchiveError

MANIFESTS = "versions/*/manifest.jsonl"
"""Files of JSON rows that name what they use; a version that is being written is among them."""
PATH_KEYS = ("path", "mask_path")


class DatasetPictures:
    """Gets from both stores, puts into the datasets' own. Named by content, so it does not matter which of them has a picture."""

    def __init__(self, settings: Settings) -> None:
        own = settings.archive.model_copy(update={"url": f"file://{settings.datasets_path / 'pictures'}"})
        self._imported, self._archive = Archive(settings.model_copy(update={"archive": own})), Archive(settings)

    def get(self, path: str) -> bytes:
        """Raises FileNotFoundError with what both stores said."""
        problems = []
        for store in (self._imported, self._archive):  # the nearer one first
            try:
                return store.get(path)
            except ArchiveError as error:
                problems.append(str(error))
        raise FileNotFoundError("; ".join(problems))

    def put(self, kind: Literal["frames", "masks"], content: bytes) -> str:
        """Raises OSError where it cannot be stored."""
        try:
            return self._imported.put(kind, content)
        except ArchiveError as error:
            raise OSError(str(error)) from error


def pinned_by_datasets(datasets: Path) -> frozenset[str]:
    """Paths that any dataset version uses: for `Archive.sweep`. Raises OSError rather than leave one out."""
    return frozenset(path for manifest in datasets.glob(MANIFESTS) for path in _paths(manifest))


def _paths(manifest: Path) -> Iterator[str]:
    with manifest.open() as file:
        for line in file:
            row = json.loads(line)
            yield from (row[key] for key in PATH_KEYS if row.get(key))
