"""A folder -> one Kafka node (KRaft: broker and controller in one process) on loopback."""

import base64
import subprocess
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from infra.embedded.jars import class_path
from infra.embedded.java import find_java
from infra.embedded.part import Part
from infra.embedded.ports import LOOPBACK, answers

LOGGING = """<Configuration status="WARN">
  <Appenders><Console name="console"><PatternLayout pattern="%d{HH:mm:ss} %p %c{1}: %m%n"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="console"/></Root></Loggers>
</Configuration>
"""


class KafkaFormatError(RuntimeError):
    """Kafka's folder could not be prepared."""


@dataclass(frozen=True, slots=True)
class KafkaNode:
    folder: Path
    port: int
    controller_port: int
    jars: Path
    heap_mb: int = 512
    largest_message_mb: int = 16

    @property
    def servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Writes the configuration; formats the folder once. Raises KafkaFormatError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._configuration.write_text(self._properties())
        (self.folder / "log4j2.xml").write_text(LOGGING)
        if (self.folder / "data" / "meta.properties").is_file():
            return
        format_command = [*self._java(), "kafka.tools.StorageTool", "format", f"--cluster-id={_cluster_id()}", "-c", str(self._configuration)]
        done = subprocess.run(format_command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KafkaFormatError(f"kafka: could not format {self.folder}: {(done.stderr or done.stdout).strip()[-600:]}")

    def part(self) -> Part:
        command = (*self._java(f"-Xmx{self.heap_mb}m"), "kafka.Kafka", str(self._configuration))
        return Part("kafka", command, ready=partial(_answers, self.servers, self.port), ready_within_s=300, stop_within_s=20)

    @property
    def _configuration(self) -> Path:
        return self.folder / "server.properties"

    def _java(self, *options: str) -> list[str]:
        return [str(find_java()), *options, f"-Dlog4j2.configurationFile={self.folder / 'log4j2.xml'}", "-cp", class_path(self.jars)]

    def _properties(self) -> str:
        single = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        properties = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.servers}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.folder / "data",
            **{f"{topic}.replication.factor": 1 for topic in single},
            **{f"{topic}.min.isr": 1 for topic in single if topic != "offsets.topic"},
            "offsets.topic.num.partitions": 4,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
            "message.max.bytes": self.largest_message_mb * 2**20,
            "log.retention.check.interval.ms": 60_000,
        }
        return "".join(f"{key}={value}\n" for key, value in properties.items())


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _answers(servers: str, port: int) -> str | None:
    """The port opens before the broker serves; after a hard kill it first scans its logs."""
    if not answers(port):
        return "its port to open"
    try:
        with KafkaAdminClient(bootstrap_servers=servers, bootstrap_timeout_ms=3_000) as admin:
            admin.list_topics()
    except (KafkaError, OSError) as error:
        return f"the broker to serve ({type(error).__name__})"
    return None
