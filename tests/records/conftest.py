from collections.abc import Iterator

import pytest

from services.records.store import Records
from tests.databases import bare_url, postgresql_url, url

__all__ = ["bare_url", "postgresql_url", "url"]


@pytest.fixture
def records(url: str) -> Iterator[Records]:
    records = Records(url)
    yield records
    records.close()
