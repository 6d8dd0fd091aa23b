"""`kafka-jars.lock` -> verified jars in a cache that all checkouts share."""

import hashlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jgo.maven import MavenContext

LOCK_PATH = Path(__file__).with_name("kafka-jars.lock")
FETCHERS = 8


class JarError(RuntimeError):
    """A jar that could not be fetched, or is not the one that the lock names."""


@dataclass(frozen=True, slots=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def cache_path() -> Path:
    """`$XDG_CACHE_HOME/loupe`, so that a second checkout finds what the first one fetched."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loupe"


def read_lock(path: Path = LOCK_PATH) -> list[Jar]:
    return [_parse(line) for line in path.read_text().splitlines() if line.strip()]


def fetch(jars: list[Jar] | None = None, *, folder: Path | None = None, download: Callable[[Jar], Path] | None = None) -> Path:
    """Makes sure every jar is in `folder` and is the one locked; returns the folder. Raises JarError."""
    jars = read_lock() if jars is None else jars
    folder = cache_path() / "kafka-jars" if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in jars if not _is_there(jar, folder)]
    with ThreadPoolExecutor(FETCHERS) as pool:
        list(pool.map(partial(_fetch_one, folder=folder, download=download or _download), missing))
    return folder


def missing(folder: Path | None = None) -> list[Jar]:
    folder = cache_path() / "kafka-jars" if folder is None else folder
    return [jar for jar in read_lock() if not (folder / jar.file_name).is_file()]


def class_path(folder: Path) -> str:
    """Only what the lock names: the cache may hold an older version's jars too."""
    return os.pathsep.join(str(folder / jar.file_name) for jar in read_lock())


def _parse(line: str) -> Jar:
    try:
        coordinate, sha256 = line.split()
        group, artifact, version = coordinate.split(":")
    except ValueError as error:
        raise JarError(f"{LOCK_PATH.name}: expected 'group:artifact:version sha256', got {line!r}") from error
    return Jar(group, artifact, version, sha256)


def _is_there(jar: Jar, folder: Path) -> bool:
    path = folder / jar.file_name
    return path.is_file() and _sha256(path) == jar.sha256


def _fetch_one(jar: Jar, folder: Path, download: Callable[[Jar], Path]) -> None:
    found = download(jar)
    got = _sha256(found)
    if got != jar.sha256:
        found.unlink()
        raise JarError(f"{jar.coordinate}: expected SHA-256 {jar.sha256}, got {got}; it was thrown away")
    partial_path = folder / f"{jar.file_name}.{os.getpid()}"
    shutil.copyfile(found, partial_path)
    partial_path.replace(folder / jar.file_name)


def _download(jar: Jar) -> Path:
    """This one file: resolving dependencies again could pick other versions than the lock."""
    context = MavenContext(repo_cache=cache_path() / "maven")
    try:
        return Path(context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())
    except Exception as error:  # jgo raises whatever its network layer raises
        raise JarError(f"{jar.coordinate}: could not be fetched from the Maven repository: {error}; check the network, then try again") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
