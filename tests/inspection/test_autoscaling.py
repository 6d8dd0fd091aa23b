"""Lag, arrivals and missed deadlines become a number of replicas."""

import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.contract.names import FRAME_CONSUMER, INSPECTOR
from services.inspection.autoscaling import Demand, LagPolicy, wanted_replicas


@dataclass(frozen=True)
class Identity:
    name: str


@dataclass
class Context:
    aggregated_metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    current_num_replicas: int = 1
    target_num_replicas: int = 1
    total_num_requests: float = 0


@pytest.mark.parametrize(
    ("demand", "expected"),
    [
        (Demand(lag=0, arrivals_per_s=0), 0),
        (Demand(lag=0, arrivals_per_s=0.01), 0),
        (Demand(lag=1, arrivals_per_s=0), 1),
        (Demand(lag=0, arrivals_per_s=7), 1),
        (Demand(lag=0, arrivals_per_s=8), 2),
        (Demand(lag=101, arrivals_per_s=1), 2),
        (Demand(lag=0, arrivals_per_s=1, late_per_s=0.5), 3),
        (Demand(lag=0, arrivals_per_s=0, on_standby=2), 1),
    ],
)
def test_enough_replicas_for_what_arrives_and_to_be_rid_of_the_backlog(demand: Demand, expected: int) -> None:
    assert wanted_replicas(demand, current=2, frames_per_s=10, drain_s=10) == expected


def decided(consumer: dict[str, dict[str, float]], inspector: Context | None = None, policy: LagPolicy | None = None) -> int:
    contexts: dict[Any, Any] = {Identity(FRAME_CONSUMER): Context(consumer), Identity(INSPECTOR): inspector or Context()}
    decisions, _ = (policy or LagPolicy(10, 10))(contexts)
    return decisions[Identity(INSPECTOR)]


def test_lag_of_all_consumers_is_summed() -> None:
    assert decided({"lag": {"a": 150, "b": 150}, "arrivals_per_s": {"a": 0, "b": 0}}) == 3


def test_a_version_on_standby_brings_one_up_that_can_test_it() -> None:
    assert decided({"lag": {"a": 0}, "on_standby": {"a": 1}}) == 1


def test_without_news_the_number_of_replicas_holds() -> None:
    assert decided({}, Context(target_num_replicas=4)) == 4


def test_a_frame_in_flight_keeps_one_replica() -> None:
    assert decided({"lag": {"a": 0}}, Context(total_num_requests=1)) == 1


def test_what_replicas_measured_replaces_the_setting_and_is_remembered() -> None:
    policy = LagPolicy(frames_per_s=10, drain_s=10)

    assert decided({"lag": {"a": 2000}}, Context({"frames_per_s": {"r": 100}}), policy) == 2
    assert decided({"lag": {"a": 2000}}, Context(), policy) == 2


def test_the_policy_travels_to_the_serve_controller() -> None:
    assert pickle.loads(pickle.dumps(LagPolicy)) is LagPolicy
