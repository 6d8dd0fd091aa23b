"""What the gate asks of a candidate, and what it may answer, for whoever sets the rule or reads the answer."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

MEASURES = ("image_auroc", "image_ap", "pixel_ap")


class Answer(StrEnum):
    PASSED = "passed"
    REFUSED = "refused"
    INSUFFICIENT = "insufficient evidence"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a candidate must keep, and from how many groups on anything can be said."""

    good_groups: int = 20
    defective_groups: int = 10
    fall: float = 0.02
    """How far each of `MEASURES` may lie below the champion's."""
    more_false_rejects: float = 0.02
    """How much the share of flagged good frames may rise."""
    golden: Literal["no worse", "every"] = "no worse"
    """Which golden frames a candidate must decide right: those that the champion does, or all."""
