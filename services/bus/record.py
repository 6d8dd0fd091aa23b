"""What flows over the bus: a record, and where it stands."""

from dataclasses import dataclass
from typing import NamedTuple


class Partition(NamedTuple):
    """One partition of a topic, whichever incarnation of that topic exists now."""

    topic: str
    partition: int


class Position(NamedTuple):
    """Where an acknowledged record was written."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read. `topic_id` tells incarnations of a topic apart: made anew, its offsets start again at 0."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size(self) -> int:
        return len(self.value or b"")
