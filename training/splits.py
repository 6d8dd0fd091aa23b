"""Groups of pictures -> one of three splits, for good: by a hash of the group, never by picture, never moved afterwards.

Two kinds of groups. A *part* (a part id, or what an import was told) says that its pictures show the same thing: pictures that are alike join
whole parts. A capture *session* only says that they were taken in a row: a picture that is like others leaves its session for them, since
one empty belt would otherwise chain all sessions of a line into one.

When pictures that are alike were given to different splits before, nothing moves. The strictest split wins (held-out, then calibration, then
train): new pictures go there, and those of the other splits are left out of all later versions.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from training.likeness import grouped

_PART, _SESSION = "part", "session"
Pair = tuple[str, str]


class Split(StrEnum):
    """From the one that anything may be in to the one that models are measured by."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    HELD_OUT = "held-out"


STRICTNESS = {split: place for place, split in enumerate(Split)}


@dataclass(frozen=True, slots=True)
class Shares:
    """Of groups, not of pictures."""

    calibration: float = 0.15
    held_out: float = 0.15

    def __post_init__(self) -> None:
        if min(self.calibration, self.held_out) < 0 or self.calibration + self.held_out >= 1:
            raise ValueError(f"shares: expected calibration and held-out >= 0 and below 1 together, got {self.calibration:g} and {self.held_out:g}")

    def split_of(self, salt: str, group: str) -> Split:
        """By the SHA-256 of salt and group: nobody can choose, and no other group changes it."""
        place = int.from_bytes(hashlib.sha256(f"{salt}\0{group}".encode()).digest()[:8]) / 2**64
        if place < self.held_out:
            return Split.HELD_OUT
        return Split.CALIBRATION if place < self.held_out + self.calibration else Split.TRAIN


@dataclass(frozen=True, slots=True)
class Claim:
    """A picture (by its SHA-256) and the group that its origin puts it in."""

    picture: str
    group: str


@dataclass(frozen=True, slots=True)
class Given:
    """What was given before. Only ever grows."""

    groups: Mapping[str, Split]
    pictures: Mapping[str, str]
    """The group that each picture goes by."""
    joined: Mapping[str, str]
    """A part's group -> the one that it turned out to be the same as."""
    left_out: frozenset[str]
    """Pictures that were found to be like those of a stricter split."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture stands; no split: it is like pictures of a stricter one, and left out."""

    group: str
    split: Split | None


NOTHING_GIVEN = Given({}, {}, {}, frozenset())


def part_group(line: str, part: str) -> str:
    """All cameras and sessions of a line that saw this part."""
    return f"{line}/{_PART}/{part}"


def session_group(line: str, camera: str, session: str) -> str:
    return f"{line}/{_SESSION}/{camera}/{session}"


def is_session(group: str) -> bool:
    return group.split("/")[1:2] == [_SESSION]


def assign(claims: Sequence[Claim], alike: Iterable[Pair], given: Given, *, shares: Shares, salt: str) -> tuple[dict[str, Place], Given]:
    """Places for all pictures, and what is given from now on. Equal input gives equal places, in any order."""
    groups, pictures, joined, left_out = dict(given.groups), dict(given.pictures), dict(given.joined), set(given.left_out)
    labels: dict[str, str] = {}
    for cluster in _clusters(claims, alike, given):
        label, split = _decided(cluster, given, shares, salt)
        groups.setdefault(label, split)
        for part in {claim.group for claim in cluster if not is_session(claim.group)}:
            groups.setdefault(part, split)
            last = _last(part, given.joined)
            if last != label:
                joined[part if is_session(last) else last] = label
        for claim in cluster:
            before = given.pictures.get(claim.picture)
            if before is not None and given.groups[before] is not split:
                left_out.add(claim.picture)
            labels[claim.picture] = label
    places = {picture: Place(label, None if picture in left_out else groups[label]) for picture, label in labels.items()}
    return places, Given(groups, {**pictures, **labels}, joined, frozenset(left_out))


def _clusters(claims: Sequence[Claim], alike: Iterable[Pair], given: Given) -> list[list[Claim]]:
    """Pictures that belong together: of one part, alike, or brought together before."""
    node = {claim.picture: _node(claim) for claim in claims}
    pairs = [(node[one], node[other]) for one, other in alike]
    pairs += [(_group_node(one), _group_node(other)) for one, other in given.joined.items()]
    pairs += [(node[picture], _group_node(before)) for picture in node if (before := given.pictures.get(picture)) is not None and not is_session(before)]
    leader = grouped({*node.values(), *(name for pair in pairs for name in pair)}, pairs)
    clusters = defaultdict(list)
    for claim in sorted(claims, key=lambda claim: claim.picture):
        clusters[leader[node[claim.picture]]].append(claim)
    return list(clusters.values())


def _decided(cluster: Collection[Claim], given: Given, shares: Shares, salt: str) -> tuple[str, Split]:
    """The group that a cluster goes by, and its split: the strictest that any of it has, else by the hash."""
    named = {group for claim in cluster for group in _named(claim, given)}
    lasting = {_last(group, given.joined) for group in named}
    decided = {group: given.groups[group] for group in named | lasting if group in given.groups}
    candidates = {group for group in lasting if not is_session(group)} or lasting
    if not decided:
        label = min(candidates)
        return label, shares.split_of(salt, label)
    split = max(decided.values(), key=STRICTNESS.__getitem__)
    fitting = {group for group in lasting & decided.keys() if decided[group] is split}
    return min(candidates & fitting or candidates - decided.keys() or fitting), split


def _named(claim: Claim, given: Given) -> set[str]:
    """What speaks for a picture: its part, and what it was given before; its session only while nothing was."""
    before = given.pictures.get(claim.picture)
    if is_session(claim.group):
        return {claim.group if before is None else before}
    return {claim.group, before or claim.group}


def _last(group: str, joined: Mapping[str, str]) -> str:
    """What a part was found to be the same as, in the end; sessions are never joined."""
    while group in joined:
        group = joined[group]
    return group


def _node(claim: Claim) -> str:
    return f"picture {claim.picture}" if is_session(claim.group) else _group_node(claim.group)


def _group_node(group: str) -> str:
    return f"group {group}"
