"""A broker or a Redis that a test may kill, instead of the one that all tests share; started again it finds its data."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.embedded.jars import fetch
from infra.embedded.kafka import KafkaNode
from infra.embedded.part import Part
from infra.embedded.ports import pick_port
from infra.embedded.process import RunningProcess
from infra.embedded.redis import RedisNode
from infra.embedded.running import wait_until_ready


class OwnStore:
    """Runs from the start on. `address` is what its clients are told."""

    def __init__(self, part: Part, address: str, logs: Path) -> None:
        self.address = address
        self._part, self._logs = part, logs
        self.start()

    @property
    def pid(self) -> int:
        return self._process.identity.pid

    def start(self) -> None:
        self._process = RunningProcess(self._part.command, environment=self._part.environment, log_path=self._logs / f"{self._part.name}.log")
        wait_until_ready(self._part, self._process)

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        self._process.stop(self._part.stop_within_s)


def kafka_node(folder: Path) -> KafkaNode:
    """On ports of its own, ready to be started."""
    port = pick_port()
    node = KafkaNode(folder, port, pick_port(taken=(port,)), fetch())
    node.prepare()
    return node


@contextmanager
def killable_kafka(folder: Path) -> Iterator[OwnStore]:
    node = kafka_node(folder)
    with _running(node.part(), node.servers, folder / "logs") as store:
        yield store


@contextmanager
def killable_redis(folder: Path) -> Iterator[OwnStore]:
    node = RedisNode(folder, pick_port())
    node.prepare()
    with _running(node.part(), node.url, folder / "logs") as store:
        yield store


@contextmanager
def _running(part: Part, address: str, logs: Path) -> Iterator[OwnStore]:
    store = OwnStore(part, address, logs)
    try:
        yield store
    finally:
        store.stop()
