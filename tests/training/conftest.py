"""Pictures in memory and datasets in the test's own folder."""

from pathlib import Path

import pytest

from tests.training.dataset_makers import MemoryPictures
from training.datasets import Datasets


@pytest.fixture
def store() -> MemoryPictures:
    return MemoryPictures()


@pytest.fixture
def all_of(tmp_path: Path) -> Datasets:
    return Datasets(tmp_path / "datasets")
