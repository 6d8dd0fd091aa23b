"""Whatever kafka-python raises is an error of the bus, which those who use it wait out or show."""

from pathlib import Path

import pytest
from kafka import errors as kafka_errors

from services.bus.connection import translated
from services.bus.errors import BrokerUnreachableError, BusError
from services.contract.settings import KafkaSettings, Settings


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (kafka_errors.KafkaConnectionError("socket disconnected"), BrokerUnreachableError),
        (ConnectionResetError("reset by peer"), BrokerUnreachableError),
        (kafka_errors.TopicAuthorizationFailedError("frames"), BusError),
    ],
)
def test_a_broker_that_goes_away_in_the_middle_is_told_from_one_that_refuses(raised: Exception, kind: type[BusError], tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka=KafkaSettings(bootstrap_servers="broker-1:9092"))

    with pytest.raises(BusError, match="kafka broker-1:9092") as said, translated(settings):
        raise raised

    assert type(said.value) is kind
