"""Settings and stored limits -> a running Serve application; changes of limits while it runs."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from services.contract.names import FRAME_CONSUMER, INSPECTOR
from services.contract.settings import Settings
from services.inspection.errors import DeploymentError
from services.inspection.schema import Limits, application, limits_in, with_limits
from services.inspection.serve_api import ServeApi, ServeUnreachableError
from services.records.audit import Actor
from services.records.errors import RecordsUnreachableError
from services.records.store import Records, ReplicaLimits

log = logging.getLogger(__name__)

POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """One deployment: how many replicas there should be, and how many there are."""

    desired: int
    running: int
    starting: int
    pids: tuple[int, ...]
    message: str
    ids: tuple[str, ...] = ()
    """Of those that run, as Serve names them."""


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """The application as Serve sees it; `limits` are those in force."""

    status: str
    message: str
    limits: Limits | None
    frame_consumer: DeploymentState | None
    inspector: DeploymentState | None


def deploy(settings: Settings, *, wait_s: float = 120) -> None:
    """Deploys and returns once the application runs. Raises DeploymentError, which says why it does not."""
    with ServeApi(settings) as api:
        api.wait(wait_s)
        api.put(application(settings, stored_limits(settings), node_resources=api.resources()))
        _wait_running(api, settings.names.application, wait_s)


def undeploy(settings: Settings, *, wait_s: float = 60) -> None:
    """Takes the application away and returns once it is gone."""
    with ServeApi(settings) as api:
        api.delete(settings.names.application)
        deadline = time.monotonic() + wait_s
        while settings.names.application in api.applications():
            if time.monotonic() > deadline:
                raise DeploymentError(f"application {settings.names.application}: still there after {wait_s:g} s")
            time.sleep(POLL_S)


def set_limits(settings: Settings, limits: Limits, *, by: Actor | None = None) -> bool:
    """Stores the limits and, where the application runs, moves it between them; no replica restarts. False: it does not run. `by` whom, for the audit."""
    records = Records(settings.records_url)
    try:
        records.set_replica_limits(ReplicaLimits(limits.min_replicas, limits.max_replicas), by=by)
    finally:
        records.close()
    if settings.ray.dashboard_url is None:
        return False
    try:
        with ServeApi(settings) as api:
            return _apply(api, settings.names.application, limits)
    except ServeUnreachableError as error:
        log.info("limits are stored; %s", error)
        return False


def stored_limits(settings: Settings) -> Limits:
    """As last set by a person, else as the settings say."""
    records = Records(settings.records_url)
    try:
        found = records.replica_limits()
    except RecordsUnreachableError as error:
        log.info("no stored replica limits: %s", error)
        found = None
    finally:
        records.close()
    return Limits(found.min_replicas, found.max_replicas) if found else Limits(settings.inspector.min_replicas, settings.inspector.max_replicas)


def replica_state(settings: Settings) -> ReplicaState:
    """Raises DeploymentError where Ray does not answer."""
    with ServeApi(settings) as api:
        found = api.applications().get(settings.names.application)
    if found is None:
        return ReplicaState("NOT_DEPLOYED", "", None, None, None)
    deployments = found.get("deployments") or {}
    return ReplicaState(
        status=found["status"],
        message=found.get("message") or "",
        limits=limits_in(found.get("deployed_app_config") or {}),
        frame_consumer=_state(deployments.get(FRAME_CONSUMER)),
        inspector=_state(deployments.get(INSPECTOR)),
    )


def _apply(api: ServeApi, name: str, limits: Limits) -> bool:
    found = api.applications().get(name)
    if found is None or not found.get("deployed_app_config"):
        return False
    api.put(with_limits(found["deployed_app_config"], limits))
    return True


def _wait_running(api: ServeApi, name: str, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        found = _look(api, name)
        status = found.get("status", "NOT_STARTED")
        if status == "RUNNING":
            return
        if status == "DEPLOY_FAILED" or time.monotonic() > deadline:
            raise DeploymentError(f"application {name}: {status} after {wait_s - (deadline - time.monotonic()):.0f} s: {_why(found)}")
        time.sleep(POLL_S)


def _look(api: ServeApi, name: str) -> dict[str, Any]:
    try:
        return api.applications().get(name, {})
    except ServeUnreachableError as error:
        log.info("waiting for ray serve: %s", error)
        return {}


def _why(application_details: dict[str, Any]) -> str:
    deployments = (application_details.get("deployments") or {}).values()
    messages = [application_details.get("message") or "", *(f"{one['name']}: {one['message']}" for one in deployments if one.get("message"))]
    return "; ".join(message for message in messages if message) or "Serve gives no reason"


def _state(deployment: dict[str, Any] | None) -> DeploymentState | None:
    if deployment is None:
        return None
    replicas = deployment.get("replicas") or []
    running = [one for one in replicas if one["state"] == "RUNNING"]
    return DeploymentState(
        desired=deployment.get("target_num_replicas", 0),
        running=len(running),
        starting=sum(one["state"] in ("STARTING", "UPDATING") for one in replicas),
        pids=tuple(one["pid"] for one in running if one.get("pid")),
        message=deployment.get("message") or "",
        ids=tuple(one["replica_id"] for one in running),
    )
