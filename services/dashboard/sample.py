"""Scores of one product's latest parts and of those that people answered -> what a histogram shows, and what thresholds can promise.

Whoever looks is left without the parts that are blind checks to them: what is not in here tells nobody its score.

A promise needs good parts drawn alike, and answered ones are not: of those that passed few were drawn, of those that were flagged all. So each
answered part is kept with the chance that brings all to the smallest of the drawing probabilities, by a hash of its frame, the same every time.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.contract.inspection import Inspection
from services.contract.verdict import Answer, Verdict
from training.calibration import Threshold, group_maxima, promised_rate, raised, threshold


@dataclass(frozen=True, slots=True)
class Good:
    """A group of parts that people called good: its highest score, and how many parts like it there were for each that was answered."""

    score: float
    weight: float


@dataclass(frozen=True, slots=True)
class Suggested:
    """Two thresholds from answered good parts, and what they can promise."""

    review: Threshold
    fail: Threshold
    groups: int
    frames: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Of one product and one model version: scores of others would mean something else."""

    recent: Sequence[Inspection]
    left_out: int
    """Of the latest: blind checks that whoever looks has not answered."""
    answered: Sequence[Verdict]

    @classmethod
    def of(cls, latest: Iterable[Inspection], answered: Iterable[Verdict], *, hidden: Collection[str], product: str | None, model_version: str) -> "Sample":
        ours = [one for one in latest if one.score is not None and one.model_version == model_version and product in (None, one.product)]
        said = [one for one in answered if one.score is not None and one.model_version == model_version and product in (None, one.product)]
        seen = [one for one in ours if one.frame_id not in hidden]
        return cls(seen, len(ours) - len(seen), [one for one in said if one.frame_id not in hidden])

    @property
    def good(self) -> list[Good]:
        """By groups, highest score first."""
        groups: dict[str, Good] = {}
        for one in self._called(Answer.GOOD):
            known = groups.get(_group(one), Good(0, 0))
            groups[_group(one)] = Good(max(known.score, one.score or 0), max(known.weight, 1 / one.probability))
        return sorted(groups.values(), key=lambda one: -one.score)

    @property
    def defects(self) -> list[float]:
        return sorted(one.score for one in self._called(Answer.DEFECT) if one.score is not None)

    def drawn_alike(self) -> list[Verdict]:
        """Good parts, each as likely to be here as any other."""
        good = self._called(Answer.GOOD)
        share = min((one.probability for one in good), default=1.0)
        return [one for one in good if _chance(one.frame_id) < share / one.probability]

    def maxima(self) -> tuple[NDArray[np.float64], int]:
        """Highest score of each group of good parts drawn alike, and how many parts these are."""
        drawn = self.drawn_alike()
        if not drawn:
            return np.array([]), 0
        return group_maxima([one.score or 0 for one in drawn], [_group(one) for one in drawn]), len(drawn)

    def promised(self, value: float) -> float:
        """95 % upper bound on the share of good groups at or above a threshold; 1 where nobody called a part good."""
        maxima, _ = self.maxima()
        return promised_rate(len(maxima), int((maxima >= value).sum()))

    def _called(self, answer: Answer) -> list[Verdict]:
        return [one for one in self.answered if one.answer is answer]


def suggest(sample: Sample, *, review_rate: float, fail_rate: float) -> Suggested | None:
    """None where nobody called a part good yet."""
    maxima, frames = sample.maxima()
    if not frames:
        return None
    review, fail = threshold(maxima, review_rate), threshold(maxima, fail_rate)
    return Suggested(review, raised(fail, maxima) if fail.value <= review.value else fail, len(maxima), frames)


def _group(one: Verdict) -> str:
    """Frames of one part are one piece of evidence."""
    return f"{one.identity.line}/{one.part_id}" if one.part_id else one.frame_id


def _chance(frame_id: str) -> float:
    return int.from_bytes(hashlib.sha256(frame_id.encode()).digest()[:7]) / 256**7
