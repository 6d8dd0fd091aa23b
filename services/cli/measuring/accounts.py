"""Ids that were made, and ids that came back -> how many are lost, and how many came twice."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """`lost` ids were made and never came; `double` ones came more than once; `strange` ones came and were never made."""

    lost: frozenset[str]
    double: frozenset[str]
    strange: frozenset[str]

    def __or__(self, other: "Account") -> "Account":
        """An id is lost where it is missing in any place, double where it is double in any."""
        return Account(self.lost | other.lost, self.double | other.double, self.strange | other.strange)


def account(made: Iterable[str], came: Iterable[str]) -> Account:
    expected, seen = frozenset(made), Counter(came)
    return Account(
        lost=expected - seen.keys(),
        double=frozenset(frame_id for frame_id, times in seen.items() if times > 1),
        strange=frozenset(seen.keys() - expected),
    )
