"""Which frames get a second reviewer, and how far people agree: with each other, and with the machine."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from services.contract.inspection import Decision
from services.contract.verdict import Answer, Verdict

_ALL = 2**64


def goes_to_second(frame_id: str, share: float) -> bool:
    """Drawn by the frame id: the same frame is drawn again and again, by every process, and nobody can choose."""
    drawn = int.from_bytes(hashlib.sha256(f"second:{frame_id}".encode()).digest()[:8])
    return drawn < share * _ALL


@dataclass(frozen=True, slots=True)
class Pair:
    """The answers of two reviewers to one frame; the second did not see the first one's."""

    first: Verdict
    second: Verdict


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one line, or of all (`line` None)."""

    line: str | None
    pairs: int
    both_defect: int
    both_good: int
    only_first_defect: int
    only_second_defect: int
    same_class: int
    """Of those that both call a defect and give a class."""
    classed: int
    agreement: float | None
    """Share of pairs with the same answer."""
    kappa: float | None
    """Cohen's: 1 is full agreement, 0 what chance would give; None where one answer is all there is."""


@dataclass(frozen=True, slots=True)
class MachineAgreement:
    """First reviewers' answers against the machine's decision."""

    line: str | None
    flagged: int
    """Answered frames that the machine flagged."""
    false_rejects: int
    """Of these, good."""
    passed: int
    """Answered blind checks: frames that the machine passed."""
    missed: int
    """Of these, a defect."""
    missed_share: float | None
    """Of all passed frames, each blind check weighed by 1 / probability."""


def between_reviewers(pairs: Iterable[Pair], line: str | None = None) -> Agreement:
    found = [pair for pair in pairs if line is None or pair.first.identity.line == line]
    counted = Counter((pair.first.answer is Answer.DEFECT, pair.second.answer is Answer.DEFECT) for pair in found)
    classed = [pair for pair in found if pair.first.defect_class is not None and pair.second.defect_class is not None]
    return Agreement(
        line=line,
        pairs=len(found),
        both_defect=counted[True, True],
        both_good=counted[False, False],
        only_first_defect=counted[True, False],
        only_second_defect=counted[False, True],
        same_class=sum(pair.first.defect_class == pair.second.defect_class for pair in classed),
        classed=len(classed),
        agreement=(counted[True, True] + counted[False, False]) / len(found) if found else None,
        kappa=_kappa(counted),
    )


def with_machine(verdicts: Iterable[Verdict], line: str | None = None) -> MachineAgreement:
    found = [one for one in verdicts if line is None or one.identity.line == line]
    flagged = [one for one in found if one.decision in (Decision.REVIEW, Decision.FAIL)]
    passed = [one for one in found if one.decision is Decision.PASS]
    weight = sum(1 / one.probability for one in passed)
    missed = [one for one in passed if one.answer is Answer.DEFECT]
    return MachineAgreement(
        line=line,
        flagged=len(flagged),
        false_rejects=sum(one.answer is Answer.GOOD for one in flagged),
        passed=len(passed),
        missed=len(missed),
        missed_share=sum(1 / one.probability for one in missed) / weight if passed else None,
    )


def _kappa(counted: Counter[tuple[bool, bool]]) -> float | None:
    total = sum(counted.values())
    if not total:
        return None
    agreed = (counted[True, True] + counted[False, False]) / total
    first, second = (counted[True, True] + counted[True, False]) / total, (counted[True, True] + counted[False, True]) / total
    by_chance = first * second + (1 - first) * (1 - second)
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)
