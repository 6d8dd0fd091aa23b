"""Judged frames -> the worst errors of a line: defects that scored lowest and good parts that scored highest, for a person to look at.

One of each group, so that a tile under six exposures does not fill the page. What is kept does not grow with the frames.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from training.evaluation import Judged

MOST = 6


@dataclass(slots=True)
class WorstErrors:
    """The worst come first."""

    _missed: dict[str, Judged] = field(default_factory=dict)
    _alarms: dict[str, Judged] = field(default_factory=dict)

    def add(self, judged: Judged) -> None:
        kept = self._alarms if judged.good else self._missed
        known = kept.get(judged.group)
        if known is None or _badness(judged) > _badness(known):
            kept[judged.group] = judged
        if len(kept) > MOST:
            del kept[min(kept, key=lambda group: _badness(kept[group]))]

    @property
    def missed(self) -> list[Judged]:
        return sorted(self._missed.values(), key=_badness, reverse=True)

    @property
    def alarms(self) -> list[Judged]:
        return sorted(self._alarms.values(), key=_badness, reverse=True)


def noted(frames: Iterable[Judged], lines: dict[str, WorstErrors]) -> Iterator[Judged]:
    """Passes the frames on, and keeps the worst of each line."""
    for judged in frames:
        lines.setdefault(judged.line, WorstErrors()).add(judged)
        yield judged


def _badness(judged: Judged) -> float:
    return judged.score if judged.good else -judged.score
