"""Settings -> which parts run here, on which ports, in which order; what the settings place elsewhere is left out."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from infra.embedded.jars import fetch
from infra.embedded.kafka import KafkaNode
from infra.embedded.part import Part, Ready, at_once
from infra.embedded.ports import LOOPBACK, pick_port
from infra.embedded.ray import RayNode
from infra.embedded.redis import RedisNode
from infra.embedded.state import MARK
from services.contract.settings import Settings

KAFKA_PORT, REDIS_PORT, RAY_PORT, RAY_DASHBOARD_PORT, RAY_CLIENT_PORT = 9092, 6379, 6479, 8265, 10001


@dataclass(slots=True)
class Plan:
    """What to start, in order, and where everything will be found."""

    parts: list[Part] = field(default_factory=list)
    outside: dict[str, str] = field(default_factory=dict)
    """Name -> address of what somebody else runs."""
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Sections of Settings, as they go to `endpoints.json`."""
    addresses: dict[str, str] = field(default_factory=dict)
    """For people, without secrets."""
    environment: dict[str, str] = field(default_factory=dict)


class Planner:
    """Picks ports, prepares folders and collects the parts of one stack."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home = settings.home.absolute()
        self._ports: set[int] = set()
        self._plan = Plan()

    def plan(self) -> Plan:
        """Raises JarError, JavaNotFoundError, KafkaFormatError, RedisNotFoundError or OSError: each says what to do."""
        self._kafka()
        self._redis()
        self._ray()
        self._services()
        self._plan.environment |= {MARK: str(self._home), "LOUPE_HOME": str(self._home), "PYTHONUNBUFFERED": "1", **_configuration()}
        return self._plan

    def _kafka(self) -> None:
        if self._settings.kafka.bootstrap_servers:
            self._plan.outside["kafka"] = self._settings.kafka.bootstrap_servers
            return
        largest = self._settings.kafka.max_message_mb
        node = KafkaNode(self._home / "kafka", self._port(KAFKA_PORT), self._port(), fetch(), largest_message_mb=largest)
        node.prepare()
        self._plan.parts.append(node.part())
        self._found("kafka", node.servers, {"bootstrap_servers": node.servers})

    def _redis(self) -> None:
        if self._settings.redis.url:
            self._plan.outside["redis"] = _without_password(self._settings.redis.url.get_secret_value())
            return
        node = RedisNode(self._home / "redis", self._port(REDIS_PORT))
        node.prepare()
        self._plan.parts.append(node.part())
        self._found("redis", f"{LOOPBACK}:{node.port}", {"url": node.url})

    def _ray(self) -> None:
        if self._settings.ray.address:
            self._plan.outside["ray"] = self._settings.ray.address
            return
        ports = (self._port(RAY_PORT), self._port(RAY_DASHBOARD_PORT), self._port(RAY_CLIENT_PORT))
        node = RayNode(self._home / "ray", *ports, self._settings.ray)
        node.prepare()
        self._plan.parts.append(node.part())
        self._plan.environment |= node.environment
        self._found("ray", node.address, {"address": node.address, "dashboard_url": node.dashboard_url})

    def _services(self) -> None:
        dashboard, ingest = self._server_port("dashboard"), self._server_port("ingest")
        self._plan.parts += [
            _service("recorder"),
            _service("inspection", runs_once=True, again_after=("ray",), ready_within_s=300),
            _service("ingest", _http_ready(ingest)),
            _service("dashboard", _http_ready(dashboard)),
        ]

    def _server_port(self, name: str) -> int:
        server = getattr(self._settings, name)
        port = self._port(server.port)
        self._found(name, f"http://{LOOPBACK if server.host == '0.0.0.0' else server.host}:{port}", {"port": port})
        return port

    def _found(self, name: str, address: str, section: dict[str, Any]) -> None:
        self._plan.addresses[name] = address
        self._plan.endpoints[name] = section

    def _port(self, usual: int = 0) -> int:
        port = pick_port(usual, taken=self._ports)
        self._ports.add(port)
        return port


def _service(name: str, ready: Ready = at_once, **options: Any) -> Part:
    return Part(name, (sys.executable, "-m", f"services.{name}"), ready=ready, stop_within_s=15, **options)


def _http_ready(port: int) -> Ready:
    return partial(_answers, f"http://{LOOPBACK}:{port}/healthz")


def _answers(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=3):
            return None
    except (urllib.error.URLError, OSError) as error:
        return f"{url} to answer ({error})"


def _configuration() -> Mapping[str, str]:
    path = Path(os.environ.get("LOUPE_CONFIG", "loupe.toml"))
    return {"LOUPE_CONFIG": str(path.absolute())} if path.is_file() else {}


def _without_password(url: str) -> str:
    return url.rpartition("@")[2]
