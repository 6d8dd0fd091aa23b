"""Ray Serve's REST interface: what is deployed, and what shall be.

A PUT names all applications of the cluster: what is not in it goes. So ours is always put beside what is there.
"""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from services.contract.settings import Settings, SettingsError
from services.inspection.errors import DeploymentError

log = logging.getLogger(__name__)

APPLICATIONS = "/api/serve/applications/"
TIMEOUT_S = 60.0
"""The first request starts Serve itself."""


class ServeUnreachableError(DeploymentError):
    """Ray's dashboard does not answer (yet)."""


class ServeApi:
    """Speaks to the cluster of the settings; raises DeploymentError."""

    def __init__(self, settings: Settings) -> None:
        if settings.ray.dashboard_url is None:
            raise SettingsError("ray.dashboard_url: not set, and no stack runs here: start one with `loupe up`, or set http://host:8265 of the cluster")
        token = _token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = settings.ray.dashboard_url
        certificates = url.startswith("https:")  # reading them takes 33 ms, several times as long as the call
        self._client = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False, verify=certificates)

    def __enter__(self) -> "ServeApi":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def applications(self) -> dict[str, dict[str, Any]]:
        """Name -> status, message, deployed_app_config, deployments."""
        found: dict[str, dict[str, Any]] = self._call("GET", APPLICATIONS).json().get("applications", {})
        return found

    def put(self, application: Mapping[str, Any]) -> None:
        """Deploys or changes one application; the others stay as they are."""
        self._put_all([*self._others(str(application["name"])), application])

    def delete(self, name: str) -> None:
        if name in self.applications():
            self._put_all(self._others(name))

    def resources(self) -> dict[str, float]:
        """What the cluster has in all: CPU, GPU, and custom resources. Empty where this cannot be told."""
        try:
            report = self._call("GET", "/api/cluster_status").json()["data"]["clusterStatus"]["loadMetricsReport"]["usage"]
            return {name: float(total) for name, (_, total) in report.items()}
        except (DeploymentError, KeyError, TypeError, ValueError) as error:
            log.debug("resources of the cluster: %s", error)
            return {}

    def wait(self, wait_s: float) -> None:
        """Until Ray's dashboard answers. Raises ServeUnreachableError."""
        deadline = time.monotonic() + wait_s
        while True:
            try:
                self._call("GET", "/api/version")
                return
            except ServeUnreachableError as error:
                if time.monotonic() > deadline:
                    raise
                log.info("waiting for ray: %s", error)
                time.sleep(0.5)

    def _others(self, name: str) -> list[dict[str, Any]]:
        found = self.applications()
        return [one["deployed_app_config"] for other, one in found.items() if other != name and _is_declared(one)]

    def _put_all(self, applications: list[Any]) -> None:
        # No proxy: frames come over Kafka, and nothing of ours listens for HTTP in Ray.
        self._call("PUT", APPLICATIONS, json={"proxy_location": "Disabled", "applications": applications})

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise ServeUnreachableError(f"ray dashboard {self._client.base_url}: {error or type(error).__name__}") from error
        if response.status_code in (502, 503, 504):
            raise ServeUnreachableError(f"ray dashboard {path}: {response.status_code} {response.text[:200]}")
        if response.status_code in (401, 403):
            raise DeploymentError(f"ray dashboard {path}: {response.status_code}: expected Ray's token in RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH")
        if response.is_error:
            raise DeploymentError(f"ray dashboard {method} {path}: {response.status_code}: {response.text[:1000]}")
        return response


def _is_declared(application: Mapping[str, Any]) -> bool:
    return bool(application.get("deployed_app_config")) and application.get("status") != "DELETING"


def _token() -> str | None:
    """As Ray itself looks for it."""
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    return path.read_text().strip() if path.is_file() else None
