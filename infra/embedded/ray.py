"""A folder -> one Ray head node on loopback, with a token of its own and room set aside for inspection and for training."""

import hashlib
import json
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infra.embedded.part import Part
from infra.embedded.ports import LOOPBACK
from infra.embedded.secret import kept_secret
from services.contract.settings import RaySettings

RESOURCES = {"inspection": 1000, "training": 1000}
"""Custom resources from the start, so that neither kind of work can starve the other."""


@dataclass(frozen=True, slots=True)
class RayNode:
    folder: Path
    port: int
    dashboard_port: int
    client_port: int
    settings: RaySettings

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def dashboard_url(self) -> str:
        return f"http://{LOOPBACK}:{self.dashboard_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the node and every client of it needs."""
        return {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_path),
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    @property
    def token_path(self) -> Path:
        return self.folder / "token"

    @property
    def temp_folder(self) -> Path:
        """Short, wherever the installation lives: Ray's sockets fail beyond about 45 characters of path."""
        digest = hashlib.sha256(str(self.folder.absolute()).encode()).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"loupe-{digest}"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        kept_secret(self.token_path)
        self.temp_folder.mkdir(mode=0o700, exist_ok=True)

    def part(self) -> Part:
        own = {
            **self.environment,
            "RAY_DEDUP_LOGS": "0",
            "RAY_ROTATION_MAX_BYTES": str(5 * 2**20),
            "RAY_ROTATION_BACKUP_COUNT": "1",
            "RAY_memory_monitor_refresh_ms": "0",  # on a small machine its killer takes the Serve controller first
            "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "1",
        }
        ready = partial(_serves, self.dashboard_url, self.token_path)
        return Part("ray", self._command(), own, ready, ready_within_s=120, stop_within_s=15)

    def _command(self) -> tuple[str, ...]:
        options = {
            "node-ip-address": LOOPBACK,
            "port": self.port,
            "dashboard-host": LOOPBACK,
            "dashboard-port": self.dashboard_port,
            "ray-client-server-port": self.client_port,
            "num-cpus": max(1, round(self.settings.num_cpus)),
            "object-store-memory": self.settings.object_store_mb * 2**20,
            "resources": json.dumps(RESOURCES),
            "temp-dir": self.temp_folder,
            "include-log-monitor": "false",
        }
        if self.settings.num_gpus is not None:
            options["num-gpus"] = self.settings.num_gpus
        ray = (str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--include-dashboard=true", "--disable-usage-stats")
        return (*ray, *(f"--{name}={value}" for name, value in options.items()))


def _serves(dashboard_url: str, token_path: Path) -> str | None:
    request = urllib.request.Request(f"{dashboard_url}/api/serve/applications/", headers={"Authorization": f"Bearer {token_path.read_text().strip()}"})
    try:
        with urllib.request.urlopen(request, timeout=3):
            return None
    except (urllib.error.URLError, OSError) as error:
        return f"its dashboard to answer ({error})"
