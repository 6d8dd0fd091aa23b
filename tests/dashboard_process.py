"""The dashboard as its own process, and every route that it has: `python -m tests.dashboard_process` prints them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount, WebSocketRoute

from infra.embedded.part import Part
from services.contract.settings import Settings

ROOT = Path(__file__).parents[1]
Route = tuple[str, str]
"""Method (WS for a WebSocket) and a path that fits."""


def dashboard_part(settings: Settings) -> Part:
    return Part("dashboard", (sys.executable, "-m", "services.dashboard"), _environment(settings), ready=partial(_answers, settings.dashboard.port))


def routes_of(settings: Settings) -> list[Route]:
    """Asked of the application that the process serves, in another one: NiceGUI makes none within a test."""
    import os

    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}, **_environment(settings)}
    done = subprocess.run([sys.executable, "-m", "tests.dashboard_process"], cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return [(method, path) for method, path in json.loads(done.stdout)]


def _environment(settings: Settings) -> dict[str, str]:
    url = settings.redis.url
    assert url is not None
    servers = settings.kafka.bootstrap_servers
    return {
        **({"LOUPE_KAFKA__BOOTSTRAP_SERVERS": servers} if servers else {}),
        "LOUPE_HOME": str(settings.home),
        "LOUPE_NAMES_PREFIX": settings.names_prefix,
        "LOUPE_REDIS__URL": url.get_secret_value(),
        "LOUPE_DASHBOARD__PORT": str(settings.dashboard.port),
        "LOUPE_REVIEW__SECOND_SHARE": str(settings.review.second_share),
        "LOUPE_REVIEW__BLIND_TURNS": str(settings.review.blind_turns),
    }


def _answers(port: int) -> str | None:
    try:
        httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        return str(error)
    return None


def _routes(routes: list[Any], below: str = "") -> Iterator[Route]:
    for route in iter_route_contexts(routes):
        path, original = below + str(route.path), route.original_route
        if isinstance(original, Mount) and original.routes:
            yield from _routes(original.routes, path)
        elif isinstance(original, Mount):
            yield from ((method, _example(f"{path}/{{rest:path}}")) for method in ("GET", "POST", "WS"))
        elif isinstance(original, WebSocketRoute):
            yield "WS", _example(path)
        else:
            assert route.methods, f"a route of a kind that this walk does not know: {original!r}"
            yield from ((method, _example(path)) for method in sorted(route.methods - {"HEAD"}))


def _example(path: str) -> str:
    return re.sub(r"\{[^}]+:path\}", "a/b", re.sub(r"\{[^}:]+\}", "x", path)) or "/"


if __name__ == "__main__":
    from services.contract.settings import load
    from services.dashboard.__main__ import serve

    sys.stdout.write(json.dumps(list(_routes(serve(load()).config.app.routes))))  # type: ignore[union-attr]
