"""Detectors without a network, for benchmarks: `null` answers at once, `decode` decodes and then answers. No torch behind them."""

from collections.abc import Sequence

from services.contract.inspection import Decision
from services.inspection.finding import Finding, FrameFault, Question

NOTHING_FOUND = 0.0


def judge_nothing(question: Question) -> list[Finding | FrameFault]:
    """Every picture passes, unseen."""
    return [Finding(NOTHING_FOUND, Decision.PASS, 0, 0, "coarse") for _ in question.images]


def judge_decoded(decoded: Sequence[object]) -> list[Finding | FrameFault]:
    """Every readable picture passes; the others are faults as they are with a network."""
    return [one if isinstance(one, FrameFault) else Finding(NOTHING_FOUND, Decision.PASS, one.width, one.height, "coarse") for one in decoded]  # type: ignore[attr-defined]
