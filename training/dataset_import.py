"""An MVTec folder -> history: verdicts as people would have given them, with pictures and masks in a store by content.

`train/good`, `test/good` and `test/<class>` with `ground_truth/<class>/<stem>_mask.png`. Which pictures show the same part says a CSV (image,
group), or a regular expression over a picture's place in the folder; without either the folder's own `groups.csv`, else each is its own.
"""

import csv
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from models.preprocessing import ImageError, read_header
from services.contract.names import FrameId
from services.contract.verdict import Answer, Verdict
from training.curves import Mask
from training.data import DataError, find_good
from training.dataset_history import said
from training.dataset_version import PictureStore
from training.evaluation import GOOD
from training.groups import group_of
from training.labelled import labelled_pictures, mask_of

CAMERA, SESSION = "import", "history"
GIVEN_BY = "import"
Grouping = Callable[[str], str]
"""A picture's place in its folder (`test/scratch/012.png`) -> its group."""


@dataclass(frozen=True, slots=True)
class Imported:
    verdicts: tuple[Verdict, ...]
    pictures: int
    """Files that were read."""
    same: int
    """Of these, equal to another one to the last byte."""
    without_mask: int
    """Defects of which nobody drew where: they are found or not, but never teach."""


def import_mvtec(folder: Path, store: PictureStore, *, line: str, grouping: Grouping | None = None, given_at: datetime) -> Imported:
    """Reads the folder of one product. Raises DataError, ImageError, GroupsError; OSError where the store is full."""
    paths = _pictures(folder)
    verdicts: dict[str, Verdict] = {}
    first: dict[str, Path] = {}
    for path in paths:
        verdict = _verdict(path, store, line=line, group=_group(path, folder, grouping), given_at=given_at)
        other = verdicts.setdefault(verdict.frame_id, verdict)
        before = first.setdefault(verdict.frame_id, path)
        if said(other)[:3] != said(verdict)[:3]:
            raise DataError(f"{path}: expected the same answer as of {before}, whose bytes are the same; keep one of them")
    found = tuple(verdicts.values())
    unmasked = sum(one.answer is Answer.DEFECT and one.mask_path is None for one in found)
    return Imported(found, len(paths), len(paths) - len(found), unmasked)


def read_grouping(text: str) -> Grouping:
    """`--group`: a CSV file with the columns image and group, or a regular expression whose first group (or whole match) names the group."""
    return _by_csv(Path(text)) if text.endswith(".csv") else _by_pattern(text)


def _by_csv(path: Path) -> Grouping:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"image", "group"} <= rows[0].keys():
        raise DataError(f"{path}: expected rows with the columns image and group, got {sorted(rows[0]) if rows else 'none'}")
    groups = {row["image"]: row["group"] for row in rows}

    def grouping(name: str) -> str:
        if not groups.get(name):
            raise DataError(f"{path}: expected a group for {name}, got none")
        return groups[name]

    return grouping


def _by_pattern(text: str) -> Grouping:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise DataError(f"--group: expected a CSV file or a regular expression, got {text!r}: {error}") from error

    def grouping(name: str) -> str:
        found = pattern.search(name)
        group = found and (found.group(1) if pattern.groups else found.group(0))
        if not group:
            raise DataError(f"--group {text!r}: expected it to find a group in every picture's name, found none in {name!r}")
        return group

    return grouping


def _pictures(folder: Path) -> Sequence[Path]:
    if not (folder / "train" / "good").is_dir() and not (folder / "test").is_dir():
        inside = sorted(path.parent.parent.name for path in folder.glob("*/train/good"))
        hint = f": import its products one by one ({', '.join(inside)})" if inside else ""
        raise DataError(f"{folder}: expected one product in MVTec layout (train/good, test/<class>), got none{hint}")
    good = find_good(folder) if (folder / "train" / "good").is_dir() else []
    return [*good, *labelled_pictures(folder)]


def _group(path: Path, folder: Path, grouping: Grouping | None) -> str:
    return group_of(path).partition("/")[2] if grouping is None else grouping(path.relative_to(folder).as_posix())


def _verdict(path: Path, store: PictureStore, *, line: str, group: str, given_at: datetime) -> Verdict:
    image = path.read_bytes()
    try:
        header = read_header(image)
    except ImageError as error:
        raise DataError(f"{path}: {error}") from error
    kind = path.parent.name
    mask_png = None if kind == GOOD else _mask_png(path, header.height, header.width)
    mask_path = None if mask_png is None else store.put("masks", mask_png)
    digest = hashlib.sha256(image).hexdigest()
    answer = Answer.GOOD if kind == GOOD else Answer.DEFECT
    told = (digest, answer.value, kind, mask_path, group, given_at.isoformat())
    return Verdict(
        verdict_id=f"import-{hashlib.sha256(repr(told).encode()).hexdigest()[:32]}",
        frame_id=str(FrameId(line, CAMERA, SESSION, int(digest[:12], 16))),  # by content: importing it again is the same frame
        answer=answer,
        defect_class=None if kind == GOOD else kind,
        mask_path=mask_path,
        mask_source=None if mask_path is None else "person",
        given_by=GIVEN_BY,
        given_at=given_at,
        frame_path=store.put("frames", image),
        reason="recorded",
        part_id=group,
        captured_at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
    )


def _mask_png(path: Path, height: int, width: int) -> bytes | None:
    """As people's masks are kept: one channel, 0 or 255. None where there is none; DataError where it does not fit or shows nothing."""
    if not (path.parents[2] / "ground_truth" / path.parent.name / f"{path.stem}_mask.png").is_file():
        return None
    mask: Mask = mask_of(path)
    if mask.shape != (height, width):
        raise DataError(f"{path}: expected a mask of its own {width} x {height} pixels, got {mask.shape[1]} x {mask.shape[0]}")
    if not mask.any():
        raise DataError(f"{path}: expected a mask that shows where, got an empty one; delete it if nobody knows")
    return bytes(cv2.imencode(".png", np.where(mask, 255, 0).astype(np.uint8))[1])
