"""A dataset version: an immutable folder, named by the SHA-256 of its manifest.

`manifest.jsonl` has a row for each picture, sorted, always written alike; `card.json` says where they come from and what they are enough for.
Pictures and masks stay where they are and are named by their SHA-256; they are checked when they are read.
"""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import cv2
import numpy as np

from training.answers import AnswerWord, content_hash
from training.curves import Mask
from training.durable import whole_folder, write_durably
from training.splits import Split

MANIFEST, CARD = "manifest.jsonl", "card.json"
BUILDING = ".building-"
ABANDONED_S = 3600.0
"""A folder that has been built for this long was left by a process that was killed."""


class DatasetError(ValueError):
    """Anything that keeps a dataset from being made or used."""


class DatasetNotFoundError(DatasetError):
    """No such version, or more than one."""


class BrokenDatasetError(DatasetError):
    """A manifest, picture or mask that is not what its name says."""


class PictureStore(Protocol):
    """Where pictures and masks lie: `frames/ab/<sha256>`, `masks/ab/<sha256>`."""

    def get(self, path: str) -> bytes:
        """Raises OSError where it is gone or cannot be reached."""

    def put(self, kind: Literal["frames", "masks"], content: bytes) -> str:
        """Returns the path. Raises OSError where it cannot be stored."""


@dataclass(frozen=True, slots=True)
class Row:
    """A picture of a dataset version."""

    picture: str
    """SHA-256 of its bytes."""
    path: str
    group: str
    split: Split
    answer: AnswerWord
    weight: float
    frame_id: str
    captured_at: str
    """UTC, ISO 8601."""
    line: str
    product: str | None = None
    defect_class: str | None = None
    mask: str | None = None
    """SHA-256 of the mask's PNG."""
    mask_path: str | None = None
    mask_source: str | None = None
    verdict_id: str | None = None
    golden: bool = False
    """Of the line's golden set."""

    @property
    def used_in(self) -> Split | None:
        """None: chosen by a person for the golden set, it neither teaches nor calibrates, and says nothing of what the line is like."""
        return None if self.golden and self.split is not Split.HELD_OUT else self.split

    def to_json(self) -> str:
        known = {name: value for name, value in asdict(self).items() if value is not None and value is not False}
        return json.dumps(known, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @classmethod
    def from_json(cls, line: str) -> Self:
        found = json.loads(line)
        return cls(**{**{one.name: found[one.name] for one in fields(cls) if one.name in found}, "split": Split(found["split"])})


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """A version whose manifest was verified."""

    id: str
    path: Path
    rows: tuple[Row, ...]
    card: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.card.get("name", self.id[:12]))

    def of(self, split: Split) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.used_in is split)

    @property
    def golden(self) -> tuple[Row, ...]:
        """Of whatever split."""
        return tuple(row for row in self.rows if row.golden)


def manifest_of(rows: Iterable[Row]) -> bytes:
    return "".join(f"{row.to_json()}\n" for row in sorted(rows, key=lambda row: row.picture)).encode()


def write_version(root: Path, rows: Iterable[Row], card: Mapping[str, Any]) -> DatasetVersion:
    """Whoever looks sees all of the folder or nothing. A version that is there already stays as it is, its card too."""
    manifest = manifest_of(rows)
    target = root / hashlib.sha256(manifest).hexdigest()
    _drop_abandoned(root)
    if not target.is_dir():
        try:
            with whole_folder(target, prefix=BUILDING) as folder:
                write_durably(folder / MANIFEST, manifest)
                write_durably(folder / CARD, (json.dumps(card, indent=2) + "\n").encode())
        except OSError:
            if not target.is_dir():  # else another process was faster, with the same content
                raise
    return read_version(target)


def read_version(folder: Path) -> DatasetVersion:
    """Raises DatasetNotFoundError or BrokenDatasetError. Pictures are not looked at."""
    if not (folder / MANIFEST).is_file():
        raise DatasetNotFoundError(f"dataset: expected a folder with {MANIFEST}, got {str(folder)!r}")
    manifest = (folder / MANIFEST).read_bytes()
    found = hashlib.sha256(manifest).hexdigest()
    if found != folder.name:
        repair = "restore it from a backup, or remove the folder and build it again"
        raise BrokenDatasetError(f"{folder / MANIFEST}: hashes to {found}, not to the name of its folder: something in it was changed; {repair}")
    try:
        rows = tuple(Row.from_json(line) for line in manifest.decode().splitlines())
    except (ValueError, TypeError, KeyError) as error:
        raise BrokenDatasetError(f"{folder}: expected rows as this version of Loupe writes them, {type(error).__name__}: {error}") from error
    return DatasetVersion(found, folder, rows, read_card(folder))


def read_card(folder: Path) -> dict[str, Any]:
    """Without a look at the manifest, which may be long. Raises BrokenDatasetError."""
    try:
        card = json.loads((folder / CARD).read_text())
    except (OSError, ValueError) as error:
        raise BrokenDatasetError(f"{folder / CARD}: expected the card of a dataset version, {type(error).__name__}: {error}") from error
    if not isinstance(card, dict):
        raise BrokenDatasetError(f"{folder / CARD}: expected the card of a dataset version, got {type(card).__name__}")
    return card


def find_version(root: Path, reference: str) -> DatasetVersion:
    """By id, or a unique prefix of it (>= 6 characters)."""
    if not re.fullmatch(r"[0-9a-f]{6,64}", reference):
        raise DatasetNotFoundError(f"dataset {reference!r}: expected a line whose dataset was built, or the id of a version or a prefix of it (>= 6)")
    matches = [path for path in version_folders(root) if path.name.startswith(reference)]
    if len(matches) != 1:
        raise DatasetNotFoundError(f"dataset {reference!r}: expected one version in {root}, got {[path.name[:12] for path in matches]}")
    return read_version(matches[0])


def version_folders(root: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in root.iterdir() if re.fullmatch(r"[0-9a-f]{64}", path.name))) if root.is_dir() else ()


def read_picture(store: PictureStore, row: Row) -> bytes:
    """The frame's own bytes. Raises BrokenDatasetError where they are gone or changed."""
    return read_verified(store, row.path, f"frame {row.frame_id}")


def read_mask_png(store: PictureStore, row: Row) -> bytes | None:
    """None where nobody drew one."""
    if row.mask_path is None:
        return None
    return read_verified(store, row.mask_path, f"mask of frame {row.frame_id}")


def read_mask(store: PictureStore, row: Row) -> Mask | None:
    """(H, W), true where defective; None where nobody drew it, or where it shows nothing."""
    png = read_mask_png(store, row)
    if png is None:
        return None
    grey = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise BrokenDatasetError(f"mask of frame {row.frame_id}: expected a PNG, got {len(png)} bytes starting {png[:8]!r}")
    return np.asarray(grey > 127) if (grey > 127).any() else None


def read_verified(store: PictureStore, path: str, what: str) -> bytes:
    """What lies at a path that is named by its content. Raises BrokenDatasetError where it is gone or changed."""
    try:
        content = store.get(path)
    except OSError as error:
        raise BrokenDatasetError(f"{what}: expected its bytes at {path}, {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != content_hash(path):
        raise BrokenDatasetError(f"{what}: expected the bytes that {path} names, got {len(content)} bytes with SHA-256 {found}; restore them from a backup")
    return content


def _drop_abandoned(root: Path) -> None:
    for folder in root.glob(f"{BUILDING}*"):
        with suppress(FileNotFoundError):  # just finished
            if folder.stat().st_mtime < time.time() - ABANDONED_S:
                shutil.rmtree(folder, ignore_errors=True)
