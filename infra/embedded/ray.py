"""A folder -> one Ray head node on loopback, with a token of its own and room set aside for inspection and for training."""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infra.embedded.http import answers_to_get
from infra.embedded.part import Part
from infra.embedded.ports import LOOPBACK
from infra.embedded.secret import kept_secret
from services.contract.settings import RaySettings

LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Misnamed: without it Ray takes 127.0.0.1 for the machine's outside address and listens on every interface. Read when ray is imported."""
LONGEST_TEMP = 43
"""Characters: Ray puts 64 of its own behind, and the path of a socket ends at 107."""
RESOURCES = {"inspection": 1000, "training": 1000}
"""Custom resources from the start, so that neither kind of work can starve the other."""


class RayFolderError(RuntimeError):
    """Ray's folder for sockets and logs cannot be used."""


@dataclass(frozen=True, slots=True)
class RayNode:
    folder: Path
    port: int
    dashboard_port: int
    settings: RaySettings

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def dashboard_url(self) -> str:
        return f"http://{LOOPBACK}:{self.dashboard_port}"

    @property
    def environment(self) -> dict[str, str]:
        return client_environment(self.folder)

    @property
    def temp_folder(self) -> Path:
        """Short, wherever the installation lives."""
        name = f"loupe-{hashlib.sha256(str(self.folder.absolute()).encode()).hexdigest()[:10]}"
        usual = Path(tempfile.gettempdir()) / name
        return usual if len(str(usual)) <= LONGEST_TEMP else Path("/tmp") / name

    def prepare(self) -> None:
        """Raises RayFolderError. What earlier runs left in the temporary folder goes; of the last one the logs stay until now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept_secret(_token_path(self.folder))
        self.temp_folder.mkdir(mode=0o700, exist_ok=True)
        if self.temp_folder.stat().st_uid != os.geteuid():
            raise RayFolderError(f"ray: {self.temp_folder} belongs to another user; remove it, or set TMPDIR to a short folder of your own")
        for session in self.temp_folder.glob("session_*"):
            session.unlink() if session.is_symlink() else shutil.rmtree(session, ignore_errors=True)

    def part(self) -> Part:
        own = {
            **self.environment,
            "RAY_DEDUP_LOGS": "0",
            "RAY_ROTATION_MAX_BYTES": str(5 * 2**20),
            "RAY_ROTATION_BACKUP_COUNT": "1",
            "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "240",  # a loaded machine needs more than the usual 60 s, its parts more than 30
            "RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT": "180",
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",  # with one node there is nowhere to move replicas to
            "RAY_memory_monitor_refresh_ms": "0",  # on a small machine its killer takes the Serve controller first
            "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "1",
            "RAY_worker_niceness": "0",  # of 15, replicas wait for whatever else this machine does; trainings step back by themselves
        }
        ready = partial(_serves, self.dashboard_url, _token_path(self.folder))
        return Part("ray", self._command(), own, ready=ready, ready_within_s=300, stop_within_s=15)

    def _command(self) -> tuple[str, ...]:
        options = {
            "node-ip-address": LOOPBACK,
            "port": self.port,
            "dashboard-host": LOOPBACK,
            "dashboard-port": self.dashboard_port,
            **dict.fromkeys(("dashboard-agent-listen-port", "min-worker-port", "max-worker-port"), 0),  # any: the usual ones may belong to another Ray here
            "num-cpus": max(1, round(self.settings.num_cpus)),
            "object-store-memory": self.settings.object_store_mb * 2**20,
            "resources": json.dumps(RESOURCES),
            "temp-dir": self.temp_folder,
            "include-log-monitor": "false",
        }
        if self.settings.num_gpus is not None:
            options["num-gpus"] = self.settings.num_gpus
        ray = (sys.executable, "-m", "infra.embedded.ray_start", "start", "--head", "--block", "--include-dashboard=true", "--disable-usage-stats")
        return (*ray, *(f"--{name}={value}" for name, value in options.items()))


def client_environment(folder: Path) -> dict[str, str]:
    """What the node in this folder and every client of it needs."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(_token_path(folder)), "RAY_USAGE_STATS_ENABLED": "0", **LOOPBACK_ONLY}


def _token_path(folder: Path) -> Path:
    return folder / "token"


def _serves(dashboard_url: str, token_path: Path) -> str | None:
    authorization = {"Authorization": f"Bearer {token_path.read_text().strip()}"}
    return answers_to_get(f"{dashboard_url}/api/serve/applications/", authorization)
