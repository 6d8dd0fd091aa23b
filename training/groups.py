"""Pictures -> groups of those that show the same thing, and which groups are kept from what.

No group stands on both sides of any split: one part under six exposures, half learnt and half measured, would measure the memory.
A split is a hash of the group, so that no later picture moves it. `<product>/groups.csv` (image, group) names the groups; without
it each picture is its own.
"""

import csv
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

CALIBRATION_SHARE = 0.2
VALIDATION_SHARE = 0.06
"""Of all good parts: they teach nothing, the best step of a training is chosen by them."""


class GroupsError(ValueError):
    """A groups.csv that does not say which picture belongs to which group."""


def kept_from_training(path: Path) -> bool:
    """Whether a good picture is left to calibrate with: a fifth, by a hash of its group, so that no later picture moves it."""
    return _place(path) < CALIBRATION_SHARE


def kept_for_validation(paths: Sequence[Path]) -> set[Path]:
    """Those of the good pictures that only check a training; of a few pictures, those of one group."""
    nearest = min(map(_beyond_calibration, paths))
    limit = max(nearest, VALIDATION_SHARE)
    return {path for path in paths if _beyond_calibration(path) <= limit}


def read_groups(path: Path) -> frozenset[str]:
    """A file of groups, one a line, as `group_of` names them. GroupsError where it names none."""
    groups = frozenset(line.strip() for line in path.read_text().splitlines() if line.strip())
    if not groups:
        raise GroupsError(f"{path}: expected a group in each line, got none")
    return groups


def group_of(path: Path) -> str:
    """Pictures of one group show the same thing; without groups.csv each picture is its own."""
    product = product_of(path)
    name = path.relative_to(product).as_posix()
    return f"{product.name}/{_groups(product).get(name, name)}"


def product_of(path: Path) -> Path:
    """The folder of the product that a picture shows."""
    return path.parents[2] if path.parent.parent.name in ("train", "test") else path.parent


@cache
def _groups(product: Path) -> dict[str, str]:
    listed = product / "groups.csv"
    if not listed.is_file():
        return {}
    with listed.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"image", "group"} <= rows[0].keys():
        raise GroupsError(f"{listed}: expected the columns image and group, got {sorted(rows[0])}")
    return {row["image"]: row["group"] for row in rows}


def _beyond_calibration(path: Path) -> float:
    """Groups in the order in which they are taken for validation; those that are left to calibrate with come last."""
    return (_place(path) - CALIBRATION_SHARE) % 1


def _place(path: Path) -> float:
    """0..1, by the hash of the picture's group."""
    digest = hashlib.sha256(group_of(path).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
