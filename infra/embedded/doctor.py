"""What this machine has and lacks to run Loupe: one finding a line, each with how to mend it."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.embedded import jars
from infra.embedded.fetch import installed_browser
from infra.embedded.java import JavaNotFoundError, find_java, java_version
from infra.embedded.ports import pick_port
from infra.embedded.redis import RedisNotFoundError, find_redis
from infra.embedded.state import StackState
from services.contract.settings import Settings

DISK_GB, MEMORY_GB = 5, 6


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    ok: bool
    says: str


def examine(settings: Settings) -> Iterator[Finding]:
    yield Finding("python", sys.version_info >= (3, 11), f"{sys.version.split()[0]} (needs 3.11 or newer)")
    yield _java()
    yield _redis()
    missing = jars.missing()
    yield Finding("kafka", not missing, f"{len(missing)} jars to fetch: the next `loupe up` does it" if missing else "all jars are there")
    has_crc = importlib.util.find_spec("crc32c") is not None
    yield Finding("crc32c", has_crc, "there" if has_crc else "missing: run `make setup`; without it Kafka moves fewer than 100 frames/s")
    yield _browser()
    yield _disk(settings.home)
    available = psutil.virtual_memory().available / 2**30
    yield Finding("memory", available >= MEMORY_GB, f"{available:.0f} GB free (needs about {MEMORY_GB})")
    yield _model()
    yield from _ports(settings)


def _java() -> Finding:
    try:
        java = find_java()
    except JavaNotFoundError as error:
        return Finding("java", False, str(error))
    return Finding("java", True, f"{java} (version {java_version(java)})")


def _redis() -> Finding:
    try:
        return Finding("redis", True, str(find_redis()))
    except RedisNotFoundError as error:
        return Finding("redis", False, str(error))


def _browser() -> Finding:
    found = installed_browser()
    return Finding("browser", True, found or "none on the path: tests take Playwright's own (`make test` fetches it); pages open in any browser you have")


def _disk(home: Path) -> Finding:
    place = next(folder for folder in (home.absolute(), *home.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free / 2**30
    return Finding(
        "disk", free >= DISK_GB, f"{free:.0f} GB free in {place} (needs about {DISK_GB}; [archive] max_gb and [kafka] frames_retention_mb bound what is kept)"
    )


def _model() -> Finding:
    from models.registry import ModelNotFoundError, shipped

    try:
        return Finding("model", True, f"shipped model at {shipped('demo')}")
    except ModelNotFoundError as error:
        return Finding("model", False, str(error))


def _ports(settings: Settings) -> Iterator[Finding]:
    if StackState.running(settings.home.absolute()) is not None:
        yield Finding("ports", True, "a stack runs; `loupe status` shows where")
        return
    for name, port in (("dashboard", settings.dashboard.port), ("ingest", settings.ingest.port)):
        free = pick_port(port) == port
        yield Finding(f"port {port}", True, f"free for {name}" if free else f"taken: {name} will pick another and say which")
