"""Inspections of one line as they come -> its latest parts and how fast it runs."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from services.contract.inspection import Inspection, Outcome

PARTS_KEPT = 50
SAMPLES_KEPT = 2_000
RATE_S = 10.0
LATENCY_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    latency_ms: float | None


class LineMemory:
    """The latest parts (newest last) and moments of one line. Moments are Unix seconds of `written_at`."""

    def __init__(self) -> None:
        self.parts: deque[Inspection] = deque(maxlen=PARTS_KEPT)
        self._samples: deque[Sample] = deque(maxlen=SAMPLES_KEPT)

    def add(self, inspection: Inspection) -> None:
        judged = inspection.outcome is Outcome.INSPECTED
        self.parts.append(inspection)
        self._samples.append(Sample(inspection.timings.written_at.timestamp(), inspection.latency_ms if judged else None))

    @property
    def last_at(self) -> float | None:
        return self._samples[-1].at if self._samples else None

    def frames_per_s(self, now: float) -> float | None:
        """Over the last 10 s; over less where the line began later or is too fast to remember that long."""
        recent = [one.at for one in self._samples if one.at > now - RATE_S]
        if len(recent) < 2:
            return None
        full = len(self._samples) > len(recent)  # something older is known, so the whole span was watched
        return len(recent) / RATE_S if full and len(recent) < SAMPLES_KEPT else (len(recent) - 1) / max(recent[-1] - recent[0], 0.001)

    def latency_p95_ms(self, now: float) -> float | None:
        return quantile((one.latency_ms for one in self._samples if one.at > now - LATENCY_S and one.latency_ms is not None), 0.95)

    def interval_s(self) -> float | None:
        """Usual time between two frames: the median of the last ones."""
        moments = [one.at for one in list(self._samples)[-20:]]
        return quantile((later - earlier for earlier, later in pairwise(moments)), 0.5)


def quantile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least `share` of them do not exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None
