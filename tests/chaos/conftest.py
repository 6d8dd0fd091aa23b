"""A broker that a test may kill, instead of the one that all tests share."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded.jars import fetch
from infra.embedded.kafka import KafkaNode
from infra.embedded.ports import pick_port
from infra.embedded.process import RunningProcess
from infra.embedded.running import wait_until_ready


class Broker:
    """One Kafka node; started again it finds its data."""

    def __init__(self, folder: Path) -> None:
        port = pick_port()
        self._node, self._logs = KafkaNode(folder, port, pick_port(taken=(port,)), fetch()), folder / "logs"
        self._node.prepare()
        self._process: RunningProcess | None = None
        self.start()

    @property
    def servers(self) -> str:
        return self._node.servers

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.identity.pid

    def start(self) -> None:
        part = self._node.part()
        self._process = RunningProcess(part.command, environment=part.environment, log_path=self._logs / "kafka.log")
        wait_until_ready(part, self._process)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        while self._process.exit_code is None:
            time.sleep(0.01)

    def stop(self) -> None:
        assert self._process is not None
        self._process.stop(20)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    running = Broker(tmp_path_factory.mktemp("kafka"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def kafka_servers(broker: Broker) -> str:
    return broker.servers
