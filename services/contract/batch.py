"""A micro-batch of `inspections` on its way into a store that keeps its own position in the topic, beside the data.

A store writes a batch whole or not at all, and only where the batch goes on from: so whatever it forgot (it was emptied, or a crash
took its last second) is noticed at the next write, and read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.contract.inspection import Inspection

NOWHERE = -1
"""Before the first offset."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition of `inspections`: those after offset `before`, up to offset `after`."""

    topic_id: str
    partition: int
    before: int
    after: int
    inspections: Sequence[Inspection]
    forgotten: bool = False
    """Retention took records before these: frames missing here were inspected, but nobody knows how any more."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """What became of a batch: written, passed over (second inspections of a frame), and frames missing before or between them."""

    written: int
    passed_over: int = 0
    missing: int = 0


class PositionMovedError(Exception):
    """The store stands elsewhere than where the batch goes on from; nothing was written."""

    def __init__(self, stands: int, expected: int) -> None:
        super().__init__(f"position of inspections: expected {expected}, got {stands}")
        self.stands = stands


class Store(Protocol):
    """Where inspections are kept."""

    def position(self, topic_id: str, partition: int) -> int:
        """The last offset of `inspections` that is in it; NOWHERE for none."""
        ...

    def write(self, batch: Batch) -> Wrote:
        """Raises PositionMovedError, and the store's own errors while it is away."""
        ...
