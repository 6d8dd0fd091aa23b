"""What came of frames that streamed through promotions -> one report: losses, wrong stamps, and what a swap adds to the slowest frame."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Self

import numpy as np

from services.cli.measuring.accounts import account
from services.contract.inspection import Inspection, Outcome

AFTERWARDS = timedelta(seconds=1)
"""Frame consumers read what judges a line every 200 ms; so long after the flip a frame still counts as one of the swap."""
SAME = 1e-3
"""Threads and batches move a score by less."""


@dataclass(frozen=True, slots=True)
class Swap:
    """One promotion, or one that was refused, from the click to its answer."""

    began_at: datetime
    ended_at: datetime

    def touches(self, inspection: Inspection) -> bool:
        timings = inspection.timings
        return timings.written_at >= self.began_at and timings.captured_at <= self.ended_at + AFTERWARDS

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.began_at).total_seconds()


@dataclass(slots=True)
class Course:
    """What was done, as it was done. `expected`: model version -> score of each picture."""

    expected: dict[str, Sequence[float]]
    promoted: list[Swap] = field(default_factory=list)
    rejected: list[Swap] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds from captured to written, of frames that a swap touches and of those between swaps."""

    in_swaps: Sequence[float]
    between: Sequence[float]

    @classmethod
    def of(cls, inspections: Iterable[Inspection], swaps: Sequence[Swap]) -> Self:
        in_swaps: list[float] = []
        between: list[float] = []
        for one in inspections:
            (in_swaps if any(swap.touches(one) for swap in swaps) else between).append(one.latency_ms)
        return cls(in_swaps, between)


@dataclass(frozen=True, slots=True)
class SwapReport:
    """`max_added_ms`: by how much the slowest frame that a swap touches is slower than the slowest of the others."""

    promotions: int
    rejected: int
    errors: int
    lost: int
    double: int
    mis_stamped: int
    max_added_ms: float
    p50_ms: float
    p95_ms: float
    p99_between_ms: float
    p99_swaps_ms: float
    max_between_ms: float
    max_swaps_ms: float
    load: float
    capacity_frames_per_s: float
    frames: int
    frames_in_swaps: int
    promotion_s_p50: float
    promotion_s_max: float
    seconds: float
    inspector_replicas: int
    own_stack: bool
    error_words: list[str]

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def report(
    course: Course, sent: Mapping[str, int], inspections: Sequence[Inspection], *, capacity: float, seconds: float, replicas: int, own_stack: bool
) -> SwapReport:
    """`sent`: frame id -> number of its picture."""
    came, latencies = account(sent, (one.frame_id for one in inspections)), Latencies.of(inspections, [*course.promoted, *course.rejected])
    unjudged = [f"frame {one.frame_id}: {one.outcome}, {one.error}" for one in inspections if one.outcome is not Outcome.INSPECTED]
    errors = [*course.errors, *unjudged, *(f"frame {strange}: nobody sent it" for strange in came.strange)]
    waits = [swap.seconds for swap in course.promoted] or [0.0]
    return SwapReport(
        promotions=len(course.promoted),
        rejected=len(course.rejected),
        errors=len(errors),
        lost=len(came.lost),
        double=len(came.double),
        mis_stamped=sum(not is_stamped_right(one, course, sent) for one in inspections if one.outcome is Outcome.INSPECTED),
        max_added_ms=round(_quantile(latencies.in_swaps, 1) - _quantile(latencies.between, 1), 1),
        p50_ms=_quantile([*latencies.in_swaps, *latencies.between], 0.5),
        p95_ms=_quantile([*latencies.in_swaps, *latencies.between], 0.95),
        p99_between_ms=_quantile(latencies.between, 0.99),
        p99_swaps_ms=_quantile(latencies.in_swaps, 0.99),
        max_between_ms=_quantile(latencies.between, 1),
        max_swaps_ms=_quantile(latencies.in_swaps, 1),
        load=round(len(sent) / seconds / capacity, 3),
        capacity_frames_per_s=round(capacity, 1),
        frames=len(sent),
        frames_in_swaps=len(latencies.in_swaps),
        promotion_s_p50=round(median(waits), 2),
        promotion_s_max=round(max(waits), 2),
        seconds=round(seconds, 1),
        inspector_replicas=replicas,
        own_stack=own_stack,
        error_words=errors[:10],
    )


def is_stamped_right(inspection: Inspection, course: Course, sent: Mapping[str, int]) -> bool:
    """Whether the score is the one that the version of the stamp gives this picture."""
    expected, picture = course.expected.get(inspection.model_version or ""), sent.get(inspection.frame_id)
    return expected is not None and picture is not None and inspection.score is not None and abs(inspection.score - expected[picture]) <= SAME


def _quantile(values: Sequence[float], share: float) -> float:
    return round(float(np.quantile(values, share)), 1) if values else 0.0
