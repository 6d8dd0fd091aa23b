"""A line's minutes -> whether it rejects clearly more than it did before: the last ones against the hour around them.

How likely so many rejects are by chance, at the rate of before, decides: a fixed limit would ring for every line that is worse than another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log, log1p

from services.contract.inspection import Decision, Outcome
from services.results.live import Minute

RECENT_MINUTES = 5
LEAST_FAILED = 5
"""Fewer rejects are no spike, however unlikely."""
LEAST_BEFORE = 100
"""Inspections of before, without which there is nothing to compare with."""
CHANCE = 1e-5
"""A line is asked every few seconds, but of minutes that overlap: about once in some months this rings by chance."""

NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True)
class Spike:
    rate: float
    before: float


def spike(minutes: Sequence[Minute], now: int) -> Spike | None:
    """`now` is the minute that runs."""
    recent = [one for one in minutes if one.minute > now - RECENT_MINUTES]
    before = [one for one in minutes if one.minute <= now - RECENT_MINUTES]
    failed, inspected = _failed(recent), _inspected(recent)
    failed_before, inspected_before = _failed(before), _inspected(before)
    if failed < LEAST_FAILED or inspected_before < LEAST_BEFORE:
        return None
    usual = (failed_before + 1) / (inspected_before + 2)  # never 0: a line without any reject may have its first ones
    if at_least(failed, inspected, usual) >= CHANCE:
        return None
    return Spike(failed / inspected, failed_before / inspected_before)


def at_least(count: int, of: int, rate: float) -> float:
    """The chance of `count` or more among `of`, each with this rate (binomial)."""
    if count <= of * rate:
        return 1.0
    total = 0.0
    for k in range(count, of + 1):
        term = exp(lgamma(of + 1) - lgamma(k + 1) - lgamma(of - k + 1) + k * log(rate) + (of - k) * log1p(-rate))
        total += term
        if term < NEGLIGIBLE * total:  # above the mean each is smaller than the one before
            break
    return min(1.0, total)


def _failed(minutes: Sequence[Minute]) -> int:
    return sum(one.counts.decision(Decision.FAIL) for one in minutes)


def _inspected(minutes: Sequence[Minute]) -> int:
    return sum(one.counts.outcome(Outcome.INSPECTED) for one in minutes)
