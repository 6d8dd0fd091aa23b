"""Settings -> which parts run here, on which ports, in which order; what the settings place elsewhere is left out."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from infra.embedded.http import answers_to_get
from infra.embedded.jars import JarError, fetch
from infra.embedded.java import JavaNotFoundError
from infra.embedded.kafka import KafkaFormatError, KafkaNode
from infra.embedded.part import Part, Ready
from infra.embedded.ports import LOOPBACK, pick_port
from infra.embedded.ray import RayFolderError, RayNode
from infra.embedded.redis import RedisNode, RedisNotFoundError
from infra.embedded.state import MARK
from services.contract.settings import Settings

PREPARING_FAILED = (JarError, JavaNotFoundError, KafkaFormatError, RedisNotFoundError, RayFolderError)
EVERYWHERE = ("0.0.0.0", "::")
KAFKA_PORT, REDIS_PORT, RAY_PORT, RAY_DASHBOARD_PORT = 9092, 6379, 6479, 8265


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
    """Picks ports (the usual ones where they are free, or any), prepares folders and collects the parts of one stack."""

    def __init__(self, settings: Settings, *, usual_ports: bool = True) -> None:
        self._settings = settings
        self._home = settings.home.absolute()
        self._usual_ports = usual_ports
        self._ports: set[int] = set()
        self._plan = Plan()

    def plan(self) -> Plan:
        """Raises what PREPARING_FAILED lists, or OSError: each says what to do."""
        self._kafka()
        self._redis()
        self._ray()
        self._services()
        self._plan.environment |= self._common_environment()
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
        ports = (self._port(RAY_PORT), self._port(RAY_DASHBOARD_PORT))
        node = RayNode(self._home / "ray", *ports, self._settings.ray)
        node.prepare()
        self._plan.parts.append(node.part())
        self._plan.environment |= node.environment
        self._found("ray", node.address, {"address": node.address, "dashboard_url": node.dashboard_url})

    def _services(self) -> None:
        dashboard, ingest = self._server("dashboard"), self._server("ingest")
        self._plan.parts += [
            _service("recorder", after=("kafka", "redis")),
            _service("inspection", after=("kafka", "redis", "ray"), runs_once=True, again_after=("ray",), ready_within_s=600),
            # Cameras start when somebody can inspect: a backlog of the start-up would hide the real latency for minutes.
            _service("ingest", after=("kafka", "recorder", "inspection"), ready=ingest),
            _service("dashboard", after=("redis", "recorder"), ready=dashboard),
            _service("trainer", after=("ray", "recorder")),
        ]

    def _server(self, name: str) -> Ready:
        """Picks its port; returns what tells whether it serves."""
        server = getattr(self._settings, name)
        port = self._port(server.port)
        host = LOOPBACK if server.host in EVERYWHERE else server.host
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._found(name, url, {"port": port})
        return partial(answers_to_get, f"{url}/healthz")

    def _common_environment(self) -> dict[str, str]:
        """The picked ports also stand here, since an environment that names the usual ones wins over `endpoints.json`."""
        ports = {f"LOUPE_{name}__PORT".upper(): str(self._plan.endpoints[name]["port"]) for name in ("dashboard", "ingest")}
        return {MARK: str(self._home), "LOUPE_HOME": str(self._home), "PYTHONUNBUFFERED": "1", **ports, **_configuration(), **_no_proxy()}

    def _found(self, name: str, address: str, section: dict[str, Any]) -> None:
        self._plan.addresses[name] = address
        self._plan.endpoints[name] = section

    def _port(self, usual: int = 0) -> int:
        port = pick_port(usual if self._usual_ports else 0, taken=self._ports)
        self._ports.add(port)
        return port


def _service(name: str, **options: Any) -> Part:
    return Part(name, (sys.executable, "-m", f"services.{name}"), stop_within_s=15, **options)


def _configuration() -> Mapping[str, str]:
    path = Path(os.environ.get("LOUPE_CONFIG", "loupe.toml"))
    return {"LOUPE_CONFIG": str(path.absolute())} if path.is_file() else {}


def _no_proxy() -> dict[str, str]:
    """Our parts speak to each other on loopback, where no proxy reaches them."""
    named = [host for host in (os.environ.get("no_proxy"), os.environ.get("NO_PROXY")) if host]
    hosts = ",".join([*named[:1], LOOPBACK, "localhost"])
    return {"no_proxy": hosts, "NO_PROXY": hosts}


def _without_password(url: str) -> str:
    return url.rpartition("@")[2]
