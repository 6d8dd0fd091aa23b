"""Settings -> options of kafka-python's clients, patience while a broker starts, and errors of the bus for whatever a client raises."""

import importlib.util
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka import errors as kafka_errors

from services.bus.errors import BrokerUnreachableError, BusError
from services.contract.settings import Settings

log = logging.getLogger(__name__)

Client = TypeVar("Client")
BOOTSTRAP_ATTEMPT_S = 5.0


def client_options(settings: Settings) -> dict[str, Any]:
    """What every client needs: where the broker is, and the site's own options (security) over ours."""
    if importlib.util.find_spec("crc32c") is None:
        raise BusError("crc32c: expected the package beside kafka-python; without it a process moves fewer than 100 frames/s")
    ours = {
        "bootstrap_servers": settings.kafka_servers.split(","),
        "bootstrap_timeout_ms": int(BOOTSTRAP_ATTEMPT_S * 1000),
        "reconnect_backoff_max_ms": 1000,  # a broker that comes back should not wait half a minute for us
    }
    return {**ours, **settings.kafka.client}


def max_message_bytes(settings: Settings) -> int:
    return settings.kafka.max_message_mb * 2**20


def patiently(make: Callable[[], Client], settings: Settings, wait_s: float) -> Client:
    """Calls `make` until the broker answers: while it recovers its log, constructors fail to bootstrap. Raises BrokerUnreachableError."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return make()
        except (kafka_errors.RetriableError, OSError) as error:
            if time.monotonic() >= deadline:
                raise BrokerUnreachableError(f"kafka {settings.kafka_servers}: no answer within {wait_s:g} s ({error})") from error
            log.info("waiting for kafka at %s: %s", settings.kafka_servers, error)
            time.sleep(0.2)


@contextmanager
def translated(settings: Settings) -> Iterator[None]:
    """What a client raises within the block is an error of the bus; BrokerUnreachableError where the broker went away in the middle."""
    try:
        yield
    except (kafka_errors.RetriableError, OSError) as error:
        raise BrokerUnreachableError(f"kafka {settings.kafka_servers}: gone before it had answered ({error})") from error
    except kafka_errors.KafkaError as error:
        raise BusError(f"kafka {settings.kafka_servers}: {error}") from error
