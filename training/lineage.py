"""What the versions of one dataset share: its salt, which split each group was given, which group each picture, and the newest version.

One JSON file a dataset, written aside and renamed. It is written before the version that it is for: of a build that is killed in between,
only places remain, and those are what the next build would give too.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.dataset_version import BrokenDatasetError
from training.durable import write_durably
from training.splits import NOTHING_GIVEN, Given, Split

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Lineage:
    name: str
    salt: str
    given: Given = NOTHING_GIVEN
    current: str | None = None
    """Id of the newest version."""

    def with_current(self, version: str) -> "Lineage":
        return replace(self, current=version)


def read_lineage(folder: Path, name: str) -> Lineage:
    """A new one goes by a salt of its name, so that the same pictures are split alike wherever they are. Raises BrokenDatasetError."""
    path = _file(folder, name)
    if not path.is_file():
        return Lineage(name, salt=name)
    try:
        found = json.loads(path.read_text())
        groups = {group: Split(split) for group, split in found["groups"].items()}
        given = Given(groups, dict(found["pictures"]), dict(found["joined"]), frozenset(found["left_out"]))
        return Lineage(name, found["salt"], given, found["current"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenDatasetError(f"{path}: expected the lineage of a dataset, {type(error).__name__}: {error}; restore it from a backup") from error


def write_lineage(folder: Path, lineage: Lineage) -> None:
    """Read by others as it was or as it will be."""
    path = _file(folder, lineage.name)
    content: dict[str, Any] = {"format": FORMAT, "salt": lineage.salt, "current": lineage.current}
    given = lineage.given
    content |= {"groups": dict(sorted(given.groups.items())), "pictures": dict(sorted(given.pictures.items()))}
    content |= {"joined": dict(sorted(given.joined.items())), "left_out": sorted(given.left_out)}
    write_durably(path, json.dumps(content, indent=0).encode())


def lineage_names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.json"))) if folder.is_dir() else ()


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """One build of a dataset at a time, whichever process; the lock ends with its holder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"
