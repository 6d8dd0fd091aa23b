"""What people answered, and how much was inspected -> how well the machine decided: parts rejected for nothing, defects that escaped, with intervals.

Answered frames stand for all of their kind; a blind check stands for 1 / its probability. Pure: no store, no clock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Self

from services.contract.inspection import Decision
from services.contract.verdict import Answer, Verdict
from services.review.agreement import Pair

Z = 1.959964
"""Of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % interval: Wilson's, over the number of answers, or the smaller number that they are worth where their weights differ (Kish)."""

    value: float
    low: float
    high: float
    answers: int

    @classmethod
    def of(cls, hits: Sequence[bool], weights: Sequence[float]) -> Self | None:
        """None where nobody has answered."""
        total = sum(weights)
        if not total:
            return None
        value = sum(weight for hit, weight in zip(hits, weights, strict=True) if hit) / total
        worth = total**2 / sum(weight**2 for weight in weights)
        middle, half = value + Z**2 / (2 * worth), Z * sqrt(value * (1 - value) / worth + Z**2 / (4 * worth**2))
        scale = 1 + Z**2 / worth
        return cls(value, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale), len(hits))


@dataclass(frozen=True, slots=True)
class Inspected:
    """How many parts the machine passed and flagged."""

    passed: int = 0
    flagged: int = 0


@dataclass(frozen=True, slots=True)
class Quality:
    inspected: Inspected
    confirmed: int
    """Defects with the machine's own mask, or none."""
    corrected: int
    """Defects with a mask that a person drew."""
    good: int
    classes: Mapping[str, int]
    wrong_flags: Share | None
    """Of flagged parts, those that people call good."""
    escapes: Share | None
    """Of passed parts, those that people call a defect: from blind checks."""
    false_rejects: Share | None
    """Of all good parts, those that were flagged. None until flagged parts are answered and inspections are counted."""


def quality(answers: Iterable[Verdict], inspected: Inspected) -> Quality:
    found = list(answers)
    defects = [one for one in found if one.answer is Answer.DEFECT]
    corrected = sum(one.mask_source == "person" for one in defects)
    flagged = [one for one in found if one.decision in (Decision.REVIEW, Decision.FAIL)]
    passed = [one for one in found if one.decision is Decision.PASS]
    wrong = Share.of([one.answer is Answer.GOOD for one in flagged], [1.0] * len(flagged))
    escapes = Share.of([one.answer is Answer.DEFECT for one in passed], [1 / one.probability for one in passed])
    return Quality(
        inspected=inspected,
        confirmed=len(defects) - corrected,
        corrected=corrected,
        good=len(found) - len(defects),
        classes=dict(Counter(one.defect_class for one in defects if one.defect_class).most_common()),
        wrong_flags=wrong,
        escapes=escapes,
        false_rejects=_false_rejects(inspected, wrong, escapes),
    )


def _false_rejects(inspected: Inspected, wrong: Share | None, escapes: Share | None) -> Share | None:
    """Both shares at the same end of their intervals: wider than 95 %, never narrower."""
    if wrong is None or not inspected.passed + inspected.flagged:
        return None

    def rate(wrongly: float, escaped: float) -> float:
        rejected, passed = inspected.flagged * wrongly, inspected.passed * (1 - escaped)
        return rejected / (rejected + passed) if rejected + passed else 0.0

    missed = escapes or Share(0.0, 0.0, 0.0, 0)  # nobody looked: passed parts count as good
    return Share(rate(wrong.value, missed.value), rate(wrong.low, missed.low), rate(wrong.high, missed.high), wrong.answers)


@dataclass(frozen=True, slots=True)
class Person:
    """What one person answered, and how often others agree where two looked blind."""

    name: str
    answers: int
    defects: int
    corrected: int
    pairs: int
    agreed: int


def people(answers: Iterable[tuple[Verdict, Verdict | None]]) -> list[Person]:
    """By name. Both answers of a pair count for whoever gave them."""
    found = list(answers)
    given = [one for pair in found for one in pair if one is not None]
    pairs = [Pair(first, second) for first, second in found if second is not None]
    return [_person(name, [one for one in given if one.given_by == name], pairs) for name in sorted({one.given_by for one in given})]


def _person(name: str, given: Sequence[Verdict], pairs: Iterable[Pair]) -> Person:
    mine = [pair for pair in pairs if name in (pair.first.given_by, pair.second.given_by)]
    return Person(
        name=name,
        answers=len(given),
        defects=sum(one.answer is Answer.DEFECT for one in given),
        corrected=sum(one.mask_source == "person" for one in given),
        pairs=len(mine),
        agreed=sum(pair.first.answer is pair.second.answer for pair in mine),
    )
