"""Settings -> the declarative configuration of our Serve application, as Ray's REST interface takes it.

The application-level policy exists only in this form, and only so does a change of limits leave running replicas alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.contract.names import FRAME_CONSUMER, INSPECTOR
from services.contract.settings import Settings
from services.inspection.plain import settings_to

RESOURCE = "inspection"
RESOURCE_SHARE = 0.001
"""Marks a node as one that inspects, without counting anything."""
METRICS = {"metrics_interval_s": 1.0, "look_back_period_s": 3.0}
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592", "MALLOC_TOP_PAD_": "67108864"}
"""Otherwise glibc gives the activations back to the kernel after every forward pass and asks for them again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Between how many replicas the Inspector deployment moves."""

    min_replicas: int
    max_replicas: int

    def __post_init__(self) -> None:
        if not (0 <= self.min_replicas <= self.max_replicas and self.max_replicas >= 1):
            raise ValueError(f"replicas: expected 0 <= min <= max and max >= 1, got {self.min_replicas} and {self.max_replicas}")


def application(settings: Settings, limits: Limits, *, node_resources: Mapping[str, float]) -> dict[str, Any]:
    """`node_resources` are what the cluster has: the custom resource `inspection` is asked for only where it exists."""
    custom = {RESOURCE: RESOURCE_SHARE} if RESOURCE in node_resources else {}
    policy = {"frames_per_s": settings.inspector.frames_per_s, "drain_s": settings.inspector.drain_s}
    return {
        "name": settings.names.application,
        "route_prefix": None,
        "import_path": "services.inspection.application:build",
        "args": {"settings": settings_to(settings)},
        "deployments": [_frame_consumer(settings, custom), _inspector(settings, limits, custom)],
        "autoscaling_policy": {"policy_function": "services.inspection.autoscaling:LagPolicy", "policy_kwargs": policy},
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
    }


def with_limits(application_config: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """The same application, moving between other limits."""
    deployments = [_limited(deployment, limits) if deployment["name"] == INSPECTOR else deployment for deployment in application_config["deployments"]]
    return {**application_config, "deployments": deployments}


def limits_in(application_config: Mapping[str, Any]) -> Limits | None:
    for deployment in application_config.get("deployments") or []:
        if deployment["name"] == INSPECTOR and deployment.get("autoscaling_config"):
            scaling = deployment["autoscaling_config"]
            return Limits(scaling["min_replicas"], scaling["max_replicas"])
    return None


def _limited(deployment: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    scaling = {**(deployment.get("autoscaling_config") or {}), "min_replicas": limits.min_replicas, "max_replicas": limits.max_replicas}
    return {**deployment, "autoscaling_config": scaling}


def _frame_consumer(settings: Settings, custom: Mapping[str, float]) -> dict[str, Any]:
    replicas = settings.consumer.replicas
    return {
        "name": FRAME_CONSUMER,
        "max_ongoing_requests": 4,
        # A fixed number, as a scaling configuration: without one the policy would not see this deployment's metrics.
        "autoscaling_config": {"min_replicas": replicas, "max_replicas": replicas, **METRICS},
        "health_check_period_s": 2.0,
        "health_check_timeout_s": 15.0,
        "graceful_shutdown_wait_loop_s": 0.5,
        "graceful_shutdown_timeout_s": 15.0,
        # Where a member must leave before its successor can take its place in the group, surging would only wait.
        "max_surge_percent": 0,
        "ray_actor_options": {
            "num_cpus": settings.consumer.num_cpus,
            "num_gpus": 0,
            "resources": dict(custom),
            # Consumers never compute: without this, a CUDA context could cost each of them GPU memory.
            "runtime_env": {"env_vars": {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}},
        },
    }


def _inspector(settings: Settings, limits: Limits, custom: Mapping[str, float]) -> dict[str, Any]:
    replica = settings.inspector
    return {
        "name": INSPECTOR,
        "max_ongoing_requests": 3,  # one inferring, one decoding, one to follow; more would wait better at the router
        "autoscaling_config": {
            "min_replicas": limits.min_replicas,
            "max_replicas": limits.max_replicas,
            "upscale_delay_s": replica.upscale_delay_s,
            "downscale_delay_s": replica.downscale_delay_s,
            "downscale_to_zero_delay_s": replica.to_zero_delay_s,
            **METRICS,
        },
        "health_check_period_s": 5.0,
        "health_check_timeout_s": 30.0,
        "graceful_shutdown_wait_loop_s": 0.5,
        "graceful_shutdown_timeout_s": 30.0,
        # The new replica first, then the old one goes; on GPUs there may be no place for both.
        "max_surge_percent": 0 if replica.num_gpus else 100,
        "ray_actor_options": {
            "num_cpus": replica.num_cpus,
            "num_gpus": replica.num_gpus,
            "resources": dict(custom),
            "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(replica.threads), **KEEP_MEMORY}},
        },
    }
