"""Scores and maps of fresh good frames -> two thresholds that keep their promise on false rejects.

A threshold is an order statistic of the group maxima. With n groups of which j lie above it, the true share of good groups above it
is, with 95 % confidence, at most the rate at which j or fewer would be seen once in twenty samples. With j = 0 that is
1 - 0.05^(1/n): 1 % needs 299 groups, 0.1 % needs 2,995. Fewer groups than a rate needs: the threshold stands above the largest
good score, and the result says what that can promise.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.contract.inspection import Calibration

CONFIDENCE = 0.95
MAP_RATE = 0.05
"""Share of good frames whose map may show something: the map is drawn and measured for flagged frames only, where looking is the point."""

SMALLEST_EXCESS = 0.05
"""Log-odds; a handful of frames may score all alike, and review and fail must still differ."""


class CalibrationError(ValueError):
    """Frames that no threshold can be drawn from."""


@dataclass(frozen=True, slots=True)
class GoodFrame:
    """What the model says of one good frame: its score and the largest value of its anomaly map."""

    score: float
    map_peak: float
    group: str
    """Frames that show the same thing (a part, a tile, a strip); a frame of its own kind is its own group."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """`rate` was asked for, `promised` is the 95 % upper bound on good groups at or above `value`."""

    value: float
    rate: float
    promised: float
    above: int
    """Good groups of the sample at or above the threshold."""

    @property
    def kept(self) -> bool:
        return self.promised <= self.rate


@dataclass(frozen=True, slots=True)
class LineCalibration:
    """A line's thresholds and what stands behind them."""

    line: str
    model_version: str
    weights_sha256: str
    review: Threshold
    fail: Threshold
    map: Threshold
    groups: int
    frames: int
    created_at: datetime
    command: str

    @property
    def calibration(self) -> Calibration:
        return Calibration(calibration_id=self.calibration_id, review=self.review.value, fail=self.fail.value, map_threshold=self.map.value)

    @property
    def calibration_id(self) -> str:
        content = json.dumps([self.line, self.model_version, self.review.value, self.fail.value, self.map.value])
        return f"{self.line}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"

    def to_dict(self) -> dict[str, Any]:
        """The contract's Calibration and, beside it, where it comes from."""
        return {**self.calibration.model_dump(), "line": self.line, "model_version": self.model_version, **self._evidence()}

    def suggestion(self) -> dict[str, Any]:
        """For the card of the version itself: without its id, which this entry changes."""
        return {"review": self.review.value, "fail": self.fail.value, "map_threshold": self.map.value, **self._evidence()}

    def _evidence(self) -> dict[str, Any]:
        return {
            "weights_sha256": self.weights_sha256,
            "rates": {"review": self.review.rate, "fail": self.fail.rate, "map": self.map.rate},
            "promised": {"review": self.review.promised, "fail": self.fail.promised, "map": self.map.promised},
            "kept": {"review": self.review.kept, "fail": self.fail.kept, "map": self.map.kept},
            "confidence": CONFIDENCE,
            "groups": self.groups,
            "frames": self.frames,
            "created_at": self.created_at.isoformat(),
            "command": self.command,
        }


def calibrate(
    frames: Iterable[GoodFrame],
    *,
    line: str,
    model_version: str,
    weights_sha256: str,
    review_rate: float = 0.01,
    fail_rate: float = 0.001,
    command: str = "",
) -> LineCalibration:
    """Thresholds for one line; CalibrationError without frames or with rates in the wrong order."""
    if not 0 < fail_rate <= review_rate < 1:
        raise CalibrationError(f"rates: expected 0 < fail <= review < 1, got review {review_rate:g} and fail {fail_rate:g}")
    seen = tuple(frames)
    scores = group_maxima([frame.score for frame in seen], [frame.group for frame in seen])
    peaks = group_maxima([frame.map_peak for frame in seen], [frame.group for frame in seen])
    review, fail = threshold(scores, review_rate), threshold(scores, fail_rate)
    if fail.value <= review.value:
        fail = raised(fail, scores)
    return LineCalibration(
        line=line,
        model_version=model_version,
        weights_sha256=weights_sha256,
        review=review,
        fail=fail,
        map=_within_a_map(threshold(peaks, MAP_RATE)),
        groups=len(scores),
        frames=len(seen),
        created_at=datetime.now(UTC),
        command=command,
    )


def group_maxima(values: Sequence[float], groups: Sequence[str]) -> NDArray[np.float64]:
    """A part seen six times is one piece of evidence, and is rejected if one of its frames is. Sorted, largest first."""
    if not values or not np.isfinite(values).all():
        raise CalibrationError(f"good frames: expected at least one, all with finite scores, got {len(values)}")
    largest: dict[str, float] = {}
    for value, group in zip(values, groups, strict=True):
        largest[group] = max(value, largest.get(group, -math.inf))
    return np.sort(np.array(list(largest.values())))[::-1]


def threshold(maxima: NDArray[np.float64], rate: float) -> Threshold:
    """The lowest threshold whose promise is within `rate`, or, where none is, the one just above the largest good value.

    `maxima` are sorted, largest first. A value at or above the threshold is rejected.
    """
    above = allowed_above(len(maxima), rate)
    value = math.nextafter(float(maxima[above]), math.inf)
    reached = int((maxima >= value).sum())  # fewer than allowed where values are equal
    return Threshold(value=value, rate=rate, promised=promised_rate(len(maxima), reached), above=reached)


def raised(unreachable: Threshold, maxima: NDArray[np.float64]) -> Threshold:
    """A fail threshold that the frames cannot place, set above the review threshold; only lower false-reject rates follow, so its promise stands.

    The tail of good scores falls off about exponentially in log-odds: its mean excess times ln(promised / asked) is the missing distance.
    """
    odds = _log_odds(maxima)
    tail = odds[: max(2, math.ceil(len(odds) / 10))]
    excess = max(float(tail.mean() - tail[-1]), SMALLEST_EXCESS)
    distance = excess * max(1.0, math.log(unreachable.promised / unreachable.rate))
    value = 1 / (1 + math.exp(-(_log_odds(np.array([unreachable.value]))[0] + distance)))
    return Threshold(value=max(value, unreachable.value), rate=unreachable.rate, promised=unreachable.promised, above=0)


def allowed_above(groups: int, rate: float) -> int:
    """How many of the good groups may lie above a threshold that promises `rate`; 0 also where no threshold can."""
    above = 0
    while above + 1 < groups and promised_rate(groups, above + 1) <= rate:
        above += 1
    return above


def promised_rate(groups: int, above: int) -> float:
    """95 % upper bound on the share of good groups above a threshold that `above` of `groups` exceeded (Clopper-Pearson, one-sided).

    The share at which so few would be seen only once in twenty samples, found by halving.
    """
    low, high = 0.0, 1.0
    if above >= groups:
        return high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance_of_at_most(above, groups, middle) > 1 - CONFIDENCE else (low, middle)
    return high


def _chance_of_at_most(above: int, groups: int, rate: float) -> float:
    """Binomial distribution, summed in logarithms."""

    def chance(k: int) -> float:
        ways = math.lgamma(groups + 1) - math.lgamma(k + 1) - math.lgamma(groups - k + 1)
        return math.exp(ways + k * math.log(rate) + (groups - k) * math.log1p(-rate))

    return math.fsum(chance(k) for k in range(above + 1))


def groups_needed(rate: float) -> int:
    """Good groups without which no threshold can promise `rate`: 299 for 1 %, 2,995 for 0.1 %."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-rate))


def _within_a_map(peak: Threshold) -> Threshold:
    """A map that good frames fill to the top still needs a threshold that a pixel can reach."""
    return Threshold(min(peak.value, 0.99), peak.rate, peak.promised, peak.above)


def _log_odds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(scores, 1e-7, 1 - 1e-7)
    return np.log(inside) - np.log1p(-inside)
