"""The folder of all dataset versions of an installation: builds the next one of a dataset, finds any, keeps what was imported.

`versions/<id>` (shared by all datasets, since an id is a content), `lineages/<name>.json`, `history/<name>.jsonl`.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.preprocessing import ImageError
from services.contract.inspection import Inspection
from services.contract.names import checked_id
from services.contract.verdict import Verdict
from training.answers import Candidate, candidates
from training.dataset import build, left_out_of
from training.dataset_history import add_to_history, read_history
from training.dataset_version import (
    BrokenDatasetError,
    DatasetError,
    DatasetNotFoundError,
    DatasetVersion,
    PictureStore,
    find_version,
    read_card,
    read_verified,
    read_version,
    version_folders,
    write_version,
)
from training.likeness import Fingerprint, fingerprint_of
from training.lineage import Lineage, lineage_names, locked, read_lineage, write_lineage
from training.splits import Shares

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """A version as it is listed: by its card, its manifest not looked at."""

    id: str
    card: Mapping[str, Any]
    """Empty where it cannot be read; `problem` says why."""
    problem: str = ""

    @property
    def name(self) -> str:
        return str(self.card.get("name", ""))


class Datasets:
    """All dataset versions of an installation. Safe to use from several processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._versions, self._lineages = root / "versions", root / "lineages"

    def build(
        self,
        name: str,
        verdicts: Iterable[Verdict],
        store: PictureStore,
        *,
        unreviewed: Iterable[Inspection] = (),
        golden: Collection[str] = (),
        shares: Shares = Shares(),
    ) -> DatasetVersion:
        """The next version of a dataset, from these verdicts and what was imported; `golden` frames by their ids. The same input again is the same version.

        Raises DatasetError where there is nothing to make one of, BrokenDatasetError.
        """
        checked_id(name, "dataset")
        with locked(self._lineages, name):
            found = candidates([*self.history(name), *verdicts], unreviewed, golden)
            fingerprints, unusable = _fingerprints(found, store)
            if not fingerprints:
                hint = "review flagged frames, or `loupe dataset import` some"
                raise DatasetError(f"dataset {name!r}: expected reviewed frames whose pictures are there, got none of {len(found)}; {hint}")
            lineage = read_lineage(self._lineages, name)
            built = build([one for one in found if one.picture in fingerprints], fingerprints, lineage, shares)
            write_lineage(self._lineages, built.lineage)
            card = {**_origin(lineage, shares), **built.card, "left_out": {**built.card["left_out"], **left_out_of(unusable)}}
            version = write_version(self._versions, built.rows, card)
            write_lineage(self._lineages, built.lineage.with_current(version.id))
        log.info("dataset %s: version %s, %d pictures, parent %s", name, version.id[:12], len(version.rows), lineage.current and lineage.current[:12])
        return version

    def fetch(self, reference: str) -> DatasetVersion:
        """The newest version of a dataset by its name, or any by its id or a prefix of it. Raises DatasetNotFoundError, BrokenDatasetError."""
        if reference not in self.names():
            return find_version(self._versions, reference)
        current = self.current(reference)
        if current is None:
            raise DatasetNotFoundError(f"dataset {reference!r}: no version yet; `loupe dataset build {reference}` makes one")
        return read_version(self._versions / current)

    def versions(self, name: str | None = None) -> tuple[Listed, ...]:
        """Of one dataset or all, the oldest first; what cannot be read comes first, whosever it is."""
        found = [_listed(folder) for folder in version_folders(self._versions)]
        wanted = [one for one in found if name is None or one.problem or one.name == name]
        return tuple(sorted(wanted, key=lambda one: (str(one.card.get("created_at", "")), one.id)))

    def names(self) -> tuple[str, ...]:
        return lineage_names(self._lineages)

    def current(self, name: str) -> str | None:
        """Id of a dataset's newest version."""
        return read_lineage(self._lineages, name).current

    def history(self, name: str) -> list[Verdict]:
        """What was imported, in the order in which it was."""
        return read_history(self._history(name))

    def add_history(self, name: str, verdicts: Sequence[Verdict]) -> int:
        """Adds those that say anything new of their frames, and returns how many; all or nothing."""
        checked_id(name, "dataset")
        with locked(self._lineages, name):
            return add_to_history(self._history(name), verdicts)

    def _history(self, name: str) -> Path:
        return self.root / "history" / f"{name}.jsonl"


def _origin(lineage: Lineage, shares: Shares) -> dict[str, Any]:
    split_by = {"salt": lineage.salt, "calibration_share": shares.calibration, "held_out_share": shares.held_out}
    return {"name": lineage.name, "created_at": datetime.now(UTC).isoformat(), "parent": lineage.current, "split_by": split_by}


def _listed(folder: Path) -> Listed:
    try:
        return Listed(folder.name, read_card(folder))
    except BrokenDatasetError as error:
        return Listed(folder.name, {}, str(error))


def _fingerprints(found: Sequence[Candidate], store: PictureStore) -> tuple[dict[str, Fingerprint], dict[str, list[str]]]:
    """By the picture's hash; and which frames cannot be used, by the reason. One that is broken must not keep the others from being learnt."""
    fingerprints: dict[str, Fingerprint] = {}
    unusable: dict[str, list[str]] = {}
    for one in found:
        try:
            image = read_verified(store, one.path, f"frame {one.frame_id}")
            if one.mask_path is not None:
                read_verified(store, one.mask_path, f"mask of frame {one.frame_id}")
            fingerprints[one.picture] = fingerprint_of(image)
        except BrokenDatasetError as error:
            log.warning("left out: %s", error)
            unusable.setdefault("picture or mask gone or damaged", []).append(one.frame_id)
        except ImageError as error:
            log.warning("left out: frame %s: %s", one.frame_id, error)
            unusable.setdefault("not a readable picture", []).append(one.frame_id)
    return fingerprints, unusable
