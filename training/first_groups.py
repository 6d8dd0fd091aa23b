"""Good frames of a line without a model -> groups that show the same part, from which its first training is drawn.

The dashboard asks this of frames while people keep and drop them, so nothing here loads a network.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from services.contract.names import FrameId
from training.data import DataError
from training.splits import part_group

STRETCH = 10
LEAST_GROUPS = 5
MOST_PICTURES = 2000
"""More are drawn from, by their hash: a night's frames would fill the memory and teach little more."""

Groups = Mapping[str, Sequence[str]]
"""A group -> the archive's paths of its pictures."""


def group_of_frame(frame: FrameId, part: str | None) -> str:
    """What a frame shows: its part; where it does not say, ten frames of a camera that were taken in a row are taken for one."""
    if part is not None:
        return part_group(frame.line, part)
    return f"{frame.line}/stretch/{frame.camera}/{frame.session}/{frame.sequence // STRETCH}"


def in_groups(good: Mapping[str, str]) -> Groups:
    """Path -> group of all good pictures, as a plan keeps them: the most that one training takes. DataError where parts cannot be told apart."""
    chosen = sorted(good, key=lambda path: path.rpartition("/")[2])[:MOST_PICTURES]
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path in chosen:
        groups[good[path]].append(path)
    check_groups(groups)
    return dict(sorted(groups.items()))


def check_groups(groups: Groups) -> None:
    """Raises DataError."""
    if len(groups) < LEAST_GROUPS:
        raise DataError(f"good frames: expected pictures of at least {LEAST_GROUPS} different parts, got {len(groups)}; keep frames of others too")
