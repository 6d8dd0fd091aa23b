"""A broker that a test may kill, instead of the one that all tests share."""

from collections.abc import Iterator

import pytest

from tests.own_store import OwnStore, killable_kafka


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnStore]:
    with killable_kafka(tmp_path_factory.mktemp("kafka")) as store:
        yield store


@pytest.fixture(scope="module")
def kafka_servers(broker: OwnStore) -> str:
    return broker.address
