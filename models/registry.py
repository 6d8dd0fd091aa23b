"""A folder of model versions: immutable, each named by the SHA-256 of what it holds.

A version is weights.safetensors, version.json (how to build and feed the network), card.json (where it comes from, what it
reaches, suggested calibrations) and golden/ (a few frames with the scores they must get). Changing any file makes another version.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.preprocessing import Preprocessing

WEIGHTS, VERSION, CARD, GOLDEN = "weights.safetensors", "version.json", "card.json", "golden"
SHORTEST_PREFIX = 6


class RegistryError(Exception):
    """Anything that keeps a model version from being used."""


class ModelNotFoundError(RegistryError):
    """No such version, or more than one."""


class BrokenModelError(RegistryError):
    """A folder that is not the version it claims to be."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version, its files verified."""

    id: str
    path: Path
    config: dict[str, Any]
    preprocessing: Preprocessing
    card: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.card.get("name") or self.id[:12])

    def suggested_calibration(self, line: str) -> dict[str, Any] | None:
        """What the card suggests for a line; BrokenModelError where it was made for other weights."""
        suggestion: dict[str, Any] | None = self.card.get("calibrations", {}).get(line)
        if suggestion is not None and suggestion.get("weights_sha256") != weights_hash(self.path):
            raise BrokenModelError(f"{self.path / CARD}: calibration for {line} was made for other weights; run `loupe calibrate` again")
        return suggestion


class Registry:
    """Versions under `root`, and those shipped with the package. Safe to use from several processes at once."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def add(self, folder: Path | str) -> ModelVersion:
        """Copies a version folder in; whoever looks sees all of it or nothing. Adding it again changes nothing."""
        source = read_version(Path(folder))
        target = self.root / source.id
        if target.is_dir():
            return self._verified(target)
        self.root.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".adding-", dir=self.root))
        try:
            _copy_durably(source.path, staging)
            _put_in_place(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return self._verified(target)

    def fetch(self, reference: str) -> ModelVersion:
        """By id, by a unique prefix of it (>= 6 characters), or by the name of a shipped model."""
        if reference in shipped_names():
            return read_version(shipped(reference))
        if not re.fullmatch(r"[0-9a-f]{6,64}", reference):
            raise ModelNotFoundError(f"model: expected an id, a prefix of >= {SHORTEST_PREFIX} hex digits, or one of {shipped_names()}, got {reference!r}")
        matches = [path for path in self._folders() if path.name.startswith(reference)]
        if len(matches) > 1:
            raise ModelNotFoundError(f"model {reference!r}: expected one version, got {[path.name[:12] for path in matches]}")
        return self._verified(matches[0]) if matches else self._fetch_shipped(reference)

    def list(self) -> tuple[ModelVersion, ...]:
        """All versions under the root; one broken folder raises BrokenModelError."""
        return tuple(self._verified(path) for path in self._folders())

    def _folders(self) -> tuple[Path, ...]:
        if not self.root.is_dir():
            return ()
        return tuple(sorted(path for path in self.root.iterdir() if re.fullmatch(r"[0-9a-f]{64}", path.name)))

    def _fetch_shipped(self, reference: str) -> ModelVersion:
        for name in shipped_names():
            version = read_version(shipped(name))
            if version.id.startswith(reference):
                return version
        raise ModelNotFoundError(f"model {reference!r}: not among {[path.name[:12] for path in self._folders()]} in {self.root}, nor shipped")

    @staticmethod
    def _verified(path: Path) -> ModelVersion:
        version = read_version(path)
        if version.id != path.name:
            raise BrokenModelError(f"{path}: its files hash to {version.id}: something in it was changed; add the original folder again")
        return version


def resolve(reference: str, root: Path | str) -> ModelVersion:
    """What a command line calls a model: a version folder, else what `Registry.fetch` knows."""
    folder = Path(reference)
    return read_version(folder) if (folder / VERSION).is_file() else Registry(root).fetch(reference)


def shipped(name: str) -> Path:
    """The folder of a model that comes with Loupe."""
    path = _shipped_root() / name
    if name not in shipped_names():
        raise ModelNotFoundError(f"shipped model: expected one of {shipped_names()}, got {name!r}")
    return path


def shipped_names() -> tuple[str, ...]:
    root = _shipped_root()
    return tuple(sorted(path.name for path in root.iterdir() if (path / VERSION).is_file())) if root.is_dir() else ()


def read_version(folder: Path) -> ModelVersion:
    """A version folder anywhere, hashed as it is. Raises ModelNotFoundError or BrokenModelError."""
    if not folder.is_dir():
        raise ModelNotFoundError(f"model: expected a folder, got {str(folder)!r}")
    for name in (WEIGHTS, VERSION):
        if not (folder / name).is_file():
            raise BrokenModelError(f"{folder}: expected {name}, got {sorted(path.name for path in folder.iterdir())}")
    description = read_json(folder / VERSION)
    try:
        config, preprocessing = description["config"], Preprocessing.from_dict(description["preprocessing"])
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenModelError(f"{folder / VERSION}: expected config and preprocessing, {error}") from error
    card = read_json(folder / CARD) if (folder / CARD).is_file() else {}
    return ModelVersion(id=folder_hash(folder), path=folder, config=config, preprocessing=preprocessing, card=card)


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BrokenModelError(f"{path}: expected JSON, {error}") from error
    if not isinstance(content, dict):
        raise BrokenModelError(f"{path}: expected a JSON object, got {type(content).__name__}")
    return content


def folder_hash(folder: Path) -> str:
    """SHA-256 over the sorted list of relative path and SHA-256 of every file."""
    total = hashlib.sha256()
    for path in _files(folder):
        total.update(f"{path.relative_to(folder).as_posix()}\0{_file_hash(path)}\n".encode())
    return total.hexdigest()


def weights_hash(folder: Path) -> str:
    """What a calibration in the card refers to: the id would change with the card itself."""
    return _file_hash(folder / WEIGHTS)


def calibration_id(line: str, version_id: str, calibration: dict[str, Any]) -> str:
    """A card cannot name its version, whose id it changes: what it suggests is named here, by its content."""
    content = json.dumps([line, version_id, *(calibration.get(name) for name in ("review", "fail", "map_threshold"))])
    return f"{line}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def _shipped_root() -> Path:
    return Path(__file__).parent / "shipped"


def _files(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir())
    odd = [str(path) for path in paths if path.is_symlink() or not path.is_file()]
    if odd:
        raise BrokenModelError(f"{folder}: expected plain files, got {odd}")
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_durably(source: Path, target: Path) -> None:
    for path in _files(source):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        _sync(copy)
    _sync(target)


def _put_in_place(staging: Path, target: Path) -> None:
    staging.chmod(0o755)  # mkdtemp makes it private; replicas may run as somebody else
    try:
        staging.rename(target)
    except OSError:
        if not target.is_dir():  # else another process was faster, with the same content
            raise
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
