"""Latencies (ms) -> counts in log-spaced buckets -> quantiles, so that percentiles of any span of minutes are a sum away.

Bucket n holds what is above bound n-1 and at most bound n; bounds grow by 2 ** 0.25, so that a quantile is off by less than 10 %.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

BOUNDS_MS = tuple(2 ** (step / 4) for step in range(80))
"""1 ms to 14.7 minutes; what is longer lands in one bucket above."""
PREFIX = "latency:"
SKEW = f"{PREFIX}skew"
"""Negative latencies: the camera's clock runs ahead of ours. Counted, never mixed in."""


def field_of(latency_ms: float) -> str:
    """The counter of a minute's hash that this latency belongs to."""
    return SKEW if latency_ms < 0 else f"{PREFIX}{bisect_left(BOUNDS_MS, latency_ms)}"


def buckets(fields: Mapping[str, int]) -> dict[int, int]:
    """A hash of counters -> bucket number -> count."""
    return {int(name.removeprefix(PREFIX)): count for name, count in fields.items() if name.startswith(PREFIX) and name != SKEW}


def summed(many: Iterable[Mapping[int, int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for one in many:
        for bucket, count in one.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """The latency (ms) that `share` (0..1) of the counted ones do not exceed; None where nothing was counted."""
    rank = share * sum(counts.values())
    below = 0
    for bucket in sorted(counts):
        if below + counts[bucket] >= rank and counts[bucket]:
            return _inside(bucket, (rank - below) / counts[bucket])
        below += counts[bucket]
    return None


def _inside(bucket: int, share: float) -> float:
    if bucket == 0:
        return BOUNDS_MS[0]
    if bucket >= len(BOUNDS_MS):
        return BOUNDS_MS[-1]
    lower, upper = BOUNDS_MS[bucket - 1], BOUNDS_MS[bucket]
    return lower * (upper / lower) ** share
