"""The stack that runs here, or one started for the occasion in a folder of its own, and ended with it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.embedded.control import start_detached, stop
from infra.embedded.ray import RayNode
from infra.embedded.state import StackState
from services.cli.common import load_settings
from services.contract.settings import Settings

NO_LINES = {"LOUPE_LINES": "[]"}
"""The demo's own lines would take the processor from the one that is shown."""


@contextmanager
def a_stack() -> Iterator[tuple[Settings, bool]]:
    """Settings with addresses, and whether the stack is ours. Raises StackError."""
    settings = load_settings()
    if StackState.running(settings.home.absolute()) is not None or _elsewhere(settings):
        yield settings, False
        return
    home = Path(tempfile.mkdtemp(prefix="ld-"))
    try:
        start_detached(home, NO_LINES)
        try:
            yield load_settings(home=home, lines=()), True
        finally:
            stop(home)
    finally:
        for folder in (home, RayNode(home / "ray", 0, 0, settings.ray).temp_folder):
            shutil.rmtree(folder, ignore_errors=True)


def _elsewhere(settings: Settings) -> bool:
    """All three stores are somebody else's, and so is what runs on them."""
    return bool(settings.kafka.bootstrap_servers and settings.redis.url and settings.ray.address)
