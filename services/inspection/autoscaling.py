"""Lag and arrivals of the frame consumers -> how many Inspector replicas there should be.

An application-level policy of Ray Serve: it runs inside the Serve controller several times a second, so it never blocks.
Bounds and delays are applied around it by Serve. Consumers bound what is in flight, so the default policy, which counts
requests, would never see a backlog.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.contract.names import FRAME_CONSUMER, INSPECTOR

TARGET_UTILISATION = 0.7
"""Replicas that are busier than this leave no room for bursts."""
QUIET_PER_S = 0.05
"""Fewer arrivals a second than this is the smoothed tail of a stream that has ended."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What the frame consumers ask for, together."""

    lag: float
    arrivals_per_s: float
    late_per_s: float = 0.0
    on_standby: float = 0.0
    """Model versions that wait to be put to work: somebody must load and test them first."""


def wanted_replicas(demand: Demand, *, current: int, frames_per_s: float, drain_s: float) -> int:
    """Enough for what arrives, and to be rid of the backlog within `drain_s`; one more while deadlines are missed; 0 when nothing is wanted."""
    quiet = demand.arrivals_per_s < QUIET_PER_S
    for_arrivals = 0 if quiet else math.ceil(demand.arrivals_per_s / frames_per_s / TARGET_UTILISATION)
    for_backlog = math.ceil(demand.lag / (frames_per_s * drain_s))
    for_deadlines = current + 1 if demand.late_per_s > 0.1 else 0
    for_standby = 1 if demand.on_standby > 0 else 0
    return max(for_arrivals, for_backlog, for_deadlines, for_standby)


class LagPolicy:
    """`frames_per_s` is what one replica manages until replicas report what they measured."""

    def __init__(self, frames_per_s: float, drain_s: float) -> None:
        self._frames_per_s, self._drain_s = frames_per_s, drain_s

    def __call__(self, contexts: Mapping[Any, Any]) -> tuple[dict[Any, int], dict[Any, dict[str, Any]]]:
        by_name = {identity.name: (identity, context) for identity, context in contexts.items()}
        if INSPECTOR not in by_name:
            return {}, {}
        inspector, context = by_name[INSPECTOR]
        consumers = by_name.get(FRAME_CONSUMER)
        self._learn(context)
        demand = _demand(consumers[1]) if consumers else None
        if demand is None:  # no news is not good news: a consumer that restarts must not scale the replicas away
            return {inspector: context.target_num_replicas}, {}
        wanted = wanted_replicas(demand, current=context.current_num_replicas, frames_per_s=self._frames_per_s, drain_s=self._drain_s)
        return {inspector: max(wanted, 1) if context.total_num_requests > 0 else wanted}, {}

    def _learn(self, context: Any) -> None:
        measured = [value for value in _metric(context, "frames_per_s").values() if value > 0]
        if measured:
            self._frames_per_s = sum(measured) / len(measured)


def _demand(context: Any) -> Demand | None:
    lag = _metric(context, "lag")
    if not lag:
        return None
    return Demand(sum(lag.values()), *(sum(_metric(context, name).values()) for name in ("arrivals_per_s", "late_per_s", "on_standby")))


def _metric(context: Any, name: str) -> Mapping[Any, float]:
    found: Mapping[Any, float] = (context.aggregated_metrics or {}).get(name) or {}
    return found
