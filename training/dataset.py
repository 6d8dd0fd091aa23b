"""Candidates, what they look like, and what was given before -> the rows of a dataset version in three splits, and what it is too small for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from training.answers import Candidate, content_hash
from training.calibration import groups_needed, promised_rate
from training.data import SMALLEST_GOOD_SET
from training.dataset_version import Row
from training.likeness import Alike, Fingerprint, Picture, find_alike
from training.lineage import Lineage
from training.splits import Claim, Shares, Split, assign

FALSE_REJECTS = 0.01
"""What a calibration should be able to promise (`training/calibration.py`)."""
LARGEST_GROUP = 0.2
"""Share of the pictures above which one group is worth a word."""
NOT_TELLING = "alike: too many pictures of different groups look the same, so nothing was joined by its looks; part ids must say what shows the same part"
NAMED = 20
"""Frames that a card names of those left out."""


@dataclass(frozen=True, slots=True)
class Built:
    """A version before it is written, and what its successors will go by."""

    rows: tuple[Row, ...]
    lineage: Lineage
    card: dict[str, Any]


def build(found: Sequence[Candidate], fingerprints: Mapping[str, Fingerprint], lineage: Lineage, shares: Shares) -> Built:
    """`fingerprints` of all candidates, by their hash. Unreviewed frames teach or are left out, they never measure.

    What shows the same part as a golden frame neither teaches nor calibrates as long as that one is golden.
    """
    known = lineage.given.pictures
    alike = find_alike([Picture(one.picture, one.group, fingerprints[one.picture], one.picture in known) for one in found])
    claims = [Claim(one.picture, one.group) for one in found]
    places, given = assign(claims, alike.pairs, lineage.given, shares=shares, salt=lineage.salt)
    golden = {places[one.picture].group for one in found if one.golden}
    rows: list[Row] = []
    left_out: dict[str, list[str]] = {}
    for one in found:
        place = places[one.picture]
        if one.golden:
            rows.append(_row(one, place.group, place.split or Split.TRAIN))
        elif place.split is None:
            left_out.setdefault("like one of a stricter split", []).append(one.frame_id)
        elif place.group in golden and place.split is not Split.HELD_OUT:
            left_out.setdefault("of a golden part", []).append(one.frame_id)
        elif not one.reviewed and place.split is not Split.TRAIN:
            left_out.setdefault("unreviewed, and not of a group that teaches", []).append(one.frame_id)
        else:
            rows.append(_row(one, place.group, place.split))
    used = {row.picture for row in rows}
    card = {
        **_counts(rows),
        "verdicts": _range([one for one in found if one.picture in used and one.reviewed]),
        "left_out": left_out_of(left_out),
        "alike": _told(alike),
        "missing": [*missing(rows), *([] if alike.telling else [NOT_TELLING])],
    }
    return Built(tuple(rows), replace(lineage, given=given), card)


def left_out_of(frames: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """By the reason: how many frames, and the ids of some."""
    return {why: {"frames": len(ids), "some": list(ids[:NAMED])} for why, ids in frames.items()}


def missing(rows: Sequence[Row]) -> list[str]:
    """What a version is too small for, in words. Nothing is moved between splits to make up for it."""
    good = {split: {row.group for row in rows if row.used_in is split and row.answer != "defect"} for split in Split}
    defective = {row.group for row in rows if row.split is Split.HELD_OUT and row.answer == "defect"}
    teaching = sum(row.used_in is Split.TRAIN and row.answer != "defect" for row in rows)
    needed, calibrating = groups_needed(FALSE_REJECTS), len(good[Split.CALIBRATION])
    words = []
    if teaching < SMALLEST_GOOD_SET:
        words.append(f"train: a training needs at least {SMALLEST_GOOD_SET} good pictures, got {teaching}")
    if calibrating < needed:
        promise = f"{promised_rate(calibrating, 0):.1%}" if calibrating else "nothing"
        words.append(f"calibration: {FALSE_REJECTS:.0%} false rejects can be promised from {needed} good groups on, {calibrating} promise {promise}")
    for what, groups in (("good", good[Split.HELD_OUT]), ("defective", defective)):
        if len(groups) < 2:
            words.append(f"held-out: an interval needs at least 2 {what} groups, got {len(groups)}; further parts or sessions bring them, no frame is moved")
    group, number = Counter(row.group for row in rows).most_common(1)[0] if rows else ("", 0)
    if number > LARGEST_GROUP * len(rows) and len(rows) >= SMALLEST_GOOD_SET:
        words.append(f"groups: {number} of {len(rows)} pictures are of {group!r}; part ids would tell them apart")
    return words


def _row(one: Candidate, group: str, split: Split) -> Row:
    return Row(
        picture=one.picture,
        path=one.path,
        group=group,
        split=split,
        answer=one.answer,
        weight=round(one.weight, 9),
        frame_id=one.frame_id,
        captured_at=one.captured_at.astimezone(UTC).isoformat(),
        line=one.line,
        product=one.product,
        defect_class=one.defect_class,
        mask=None if one.mask_path is None else content_hash(one.mask_path),
        mask_path=one.mask_path,
        mask_source=one.mask_source,
        verdict_id=one.verdict_id,
        golden=one.golden,
    )


def _counts(rows: Sequence[Row]) -> dict[str, Any]:
    splits = {split.value: _counted([row for row in rows if row.used_in is split]) for split in Split}
    return {"pictures": len(rows), "splits": splits, "golden": sum(row.golden for row in rows)}


def _counted(rows: Sequence[Row]) -> dict[str, Any]:
    answers = Counter(row.answer for row in rows)
    classes = Counter(row.defect_class or "unnamed" for row in rows if row.answer == "defect")
    return {
        "pictures": len(rows),
        "groups": len({row.group for row in rows}),
        "good": answers["good"],
        "defect": answers["defect"],
        "unreviewed": answers["unreviewed"],
        "without_mask": sum(row.answer == "defect" and row.mask is None for row in rows),
        "classes": dict(sorted(classes.items())),
    }


def _range(reviewed: Sequence[Candidate]) -> dict[str, Any]:
    """From which verdict to which."""
    if not reviewed:
        return {"number": 0, "first": None, "last": None}
    ordered = sorted(reviewed, key=lambda one: (one.decided_at, one.verdict_id or ""))
    first, last = ({"verdict_id": one.verdict_id, "given_at": one.decided_at.isoformat()} for one in (ordered[0], ordered[-1]))
    return {"number": len(reviewed), "first": first, "last": last}


def _told(alike: Alike) -> dict[str, Any]:
    return {"pairs": len(alike.pairs), "limit": round(alike.limit, 4), "usual": round(alike.usual, 4), "compared": alike.compared}
