"""Where verbs that compute are called: in a folder of the test's own, on one thread, with a detector of a few thousand weights."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.networks import saved_tiny


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installation of its own, and one thread: many spin on a busy machine."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def version(tmp_path: Path) -> Path:
    return saved_tiny(tmp_path / "tiny", "codec", "detection", "upsampling")
