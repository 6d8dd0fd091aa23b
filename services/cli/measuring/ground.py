"""Where a benchmark stands: a running stack's Kafka, Redis and Ray, or three of its own; in either case with names, records and a recorder of its own."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.embedded.part import Part
from infra.embedded.plan import Planner
from infra.embedded.process import RunningProcess
from infra.embedded.ray import RayNode
from infra.embedded.running import running
from infra.embedded.secret import write_private
from infra.embedded.state import StackState
from services.contract.settings import Settings, load
from services.inspection.plain import settings_to

STORES = ("kafka", "redis", "ray")


@dataclass(frozen=True, slots=True)
class Ground:
    """Settings whose names are the benchmark's own, and the processes of the stores as far as they run on this machine."""

    settings: Settings
    pids: dict[str, int]
    own: bool
    """All three stores were started for the benchmark, and go with all they hold."""


@contextmanager
def ground(installation: Settings, *, prefix: str, **sections: Any) -> Iterator[Ground]:
    """`sections` are settings of the benchmark over those of the installation. What is started here ends with the block."""
    home = Path(tempfile.mkdtemp(prefix="lb-"))
    own = {
        "home": home,
        "names_prefix": prefix,
        "lines": (),
        "records": {"url": f"sqlite:///{home / 'records.sqlite'}"},
        "archive": {"url": f"file://{home}/a"},
    }
    known = _merged(sections, _addresses(installation))
    try:
        with _missing_stores(load(**own, **known)) as (addresses, started):
            pids = {**_pids(installation), **started}
            yield Ground(load(**own, **_merged(known, addresses)), pids, own=set(started) == set(STORES))
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def recorder(settings: Settings) -> Iterator[int]:
    """A recorder under the benchmark's names; gives its pid."""
    with service(settings, "recorder") as process:
        yield process.identity.pid


@contextmanager
def service(settings: Settings, name: str, *, environment: Mapping[str, str] | None = None, **sections: Any) -> Iterator[RunningProcess]:
    """A process of the benchmark's own. It reads only what is written here, beside what replicas need these sections, not the installation's file."""
    home = settings.home
    write_private(home / "endpoints.json", json.dumps({**settings_to(settings), "records": {"url": settings.records_url}, **sections}))
    (home / "loupe.toml").touch()
    ours = {"LOUPE_HOME": str(home), "LOUPE_CONFIG": str(home / "loupe.toml")}
    others = {other: "" for other in os.environ if other.startswith("LOUPE_") and other not in ours}
    command = ("env", *(f"--unset={other}" for other in others), sys.executable, "-m", f"services.{name}")
    with running(Part(name, command, {**ours, **(environment or {})}), home / "logs") as process:
        yield process


@contextmanager
def _missing_stores(settings: Settings) -> Iterator[tuple[dict[str, dict[str, Any]], dict[str, int]]]:
    """Starts Kafka, Redis and Ray as far as the settings do not say where they are: their addresses, and their pids."""
    plan = Planner(settings, usual_ports=False).plan()
    os.environ.update({name: value for name, value in plan.environment.items() if name.startswith("RAY_")})
    pids = {}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, RayNode(settings.home / "ray", 0, 0, settings.ray).temp_folder, ignore_errors=True)
        for part in plan.parts:
            if part.name in STORES:
                whole = replace(part, environment={**plan.environment, **part.environment})
                pids[part.name] = stack.enter_context(running(whole, settings.home / "logs")).identity.pid
        yield {name: section for name, section in plan.endpoints.items() if name in STORES}, pids


def _addresses(installation: Settings) -> dict[str, dict[str, Any]]:
    """Of a running stack, or of whoever else runs them."""
    kafka, redis, ray = installation.kafka, installation.redis, installation.ray
    known: dict[str, dict[str, Any]] = {
        "kafka": {"bootstrap_servers": kafka.bootstrap_servers} if kafka.bootstrap_servers else {},
        "redis": {"url": redis.url.get_secret_value()} if redis.url else {},
        "ray": {"address": ray.address, "dashboard_url": ray.dashboard_url} if ray.address else {},
    }
    return {name: section for name, section in known.items() if section}


def _pids(installation: Settings) -> dict[str, int]:
    state = StackState.running(installation.home.absolute())
    return {name: part.identity.pid for name, part in state.parts.items() if name in STORES and part.identity} if state else {}


def _merged(sections: dict[str, Any], addresses: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: {**sections.get(name, {}), **addresses.get(name, {})} for name in {*sections, *addresses}}
