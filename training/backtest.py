"""Frames as they were decided, and as a candidate would have decided them -> in how many the two agree, camera by camera, and where they do not."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from training.curves import log_odds

CHANGES = 50
"""Frames that a report names, the largest changes first."""

Item = TypeVar("Item")


@dataclass(slots=True)
class Evenly(Generic[Item]):
    """At most so many of all that comes, of each key every n-th, however many come: n doubles when it gets too many."""

    most: int
    stride: int = 1
    _seen: Counter[Hashable] = field(default_factory=Counter)
    _kept: list[tuple[int, Item]] = field(default_factory=list)

    def add(self, key: Hashable, item: Item) -> None:
        place = self._seen[key]
        self._seen[key] += 1
        if place % self.stride:
            return
        self._kept.append((place, item))
        if len(self._kept) > self.most:
            self.stride *= 2
            self._kept = [one for one in self._kept if one[0] % self.stride == 0]

    @property
    def seen(self) -> int:
        return self._seen.total()

    def kept(self) -> list[Item]:
        return [item for _, item in self._kept]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One frame, decided twice."""

    frame_id: str
    camera: str
    captured_at: datetime
    by: Literal["line", "champion"]
    """Who decided it before: the line, when it came, or the model of now, since the line did not."""
    before: float
    flagged_before: bool
    after: float
    flagged_after: bool

    @property
    def changed(self) -> bool:
        return self.flagged_before != self.flagged_after


def report_of(frames: Sequence[Replayed]) -> dict[str, Any]:
    """`agreement` is the share of frames that both flag or both pass; none without frames."""
    agreed = sum(not one.changed for one in frames)
    cameras = sorted({one.camera for one in frames})
    return {
        "frames": len(frames),
        "agreement": agreed / len(frames) if frames else None,
        **_moved(frames),
        "decided_by": dict(Counter(one.by for one in frames)),
        "by_camera": {camera: _of_camera([one for one in frames if one.camera == camera]) for camera in cameras},
        "changes": [_told(one) for one in sorted((one for one in frames if one.changed), key=_size, reverse=True)[:CHANGES]],
    }


def _of_camera(frames: Sequence[Replayed]) -> dict[str, int]:
    return {"frames": len(frames), **_moved(frames)}


def _moved(frames: Sequence[Replayed]) -> dict[str, int]:
    return {
        "newly_flagged": sum(one.changed and one.flagged_after for one in frames),
        "no_longer_flagged": sum(one.changed and one.flagged_before for one in frames),
    }


def _size(one: Replayed) -> float:
    before, after = log_odds(np.array([one.before, one.after]))
    return float(abs(after - before))


def _told(one: Replayed) -> dict[str, Any]:
    return {
        "frame_id": one.frame_id,
        "camera": one.camera,
        "captured_at": one.captured_at.isoformat(),
        "by": one.by,
        "before": one.before,
        "after": one.after,
        "flagged": one.flagged_after,
    }
