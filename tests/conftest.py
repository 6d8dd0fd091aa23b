"""Real parts for tests: a Kafka broker, a Redis, a Ray cluster and a browser, started once for the session."""

import gc
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from infra.embedded.fetch import installed_browser
from infra.embedded.ports import pick_port
from infra.embedded.ray import LOOPBACK_ONLY, RayNode
from infra.embedded.redis import RedisNode
from infra.embedded.running import running
from services.contract.settings import KafkaSettings, RaySettings, RedisSettings, Settings
from services.records import passwords
from tests.own_store import OwnStore, kafka_node, killable_redis

BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


os.environ.update(LOOPBACK_ONLY)  # Ray reads it at import, which a test module may do
SLOW_LAST = ("integration", "chaos", "end_to_end")  # the story is last, its training beside pages that leave the machine more than chaos does
BUSY = frozenset(
    {
        "integration/test_backtest.py",
        "integration/test_bench.py",
        "integration/test_demo.py",
        "integration/test_embedded_stack.py",
        "integration/test_retraining.py",
        "integration/test_swap.py",
        "integration/test_training_workers.py",
        "end_to_end/test_story.py",
    }
)
"""Modules that train, measure, or start a whole stack: never two of them at once, since each fills the machine."""


def pytest_configure() -> None:
    """A time limit ends the suite as Ctrl-C does, so that no broker outlives it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes seconds fails first."""
    items.sort(key=lambda item: max((number for number, folder in enumerate(SLOW_LAST, 1) if folder in item.path.parts), default=0))


class Modules(LoadScopeScheduling):
    """Of several workers, one has all that is busy, and each module else stays with one. Marks of pytest-xdist 3.8 do not reach pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0].removeprefix("tests/")
        return "busy" if module in BUSY else module


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return Modules(config, log)


def pytest_collection_finish() -> None:
    """What was imported stays, so collections of garbage need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _quick_hashes() -> Iterator[None]:
    """A tenth of a second and 64 MiB for each password would be half a minute of this suite. Processes that tests start hash as ever."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """Sockets of Ray need a short path, which pytest's own folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="lt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka_servers(short_folder: Path) -> Iterator[str]:
    """Address of a real broker."""
    node = kafka_node(short_folder / "kafka")
    with running(node.part(), short_folder / "logs"):
        yield node.servers


@pytest.fixture(scope="session")
def redis_url(short_folder: Path) -> Iterator[str]:
    """Address of a real Redis, password included."""
    node = RedisNode(short_folder / "redis", pick_port())
    node.prepare()
    with running(node.part(), short_folder / "logs"):
        yield node.url


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnStore]:
    """One that the test may kill."""
    with killable_redis(tmp_path / "redis") as store:
        yield store


@pytest.fixture(scope="session")
def ray_cluster(short_folder: Path) -> Iterator[RayNode]:
    """A real Ray head node; its token is in this process's environment as long as it runs."""
    node = start_ray_node(short_folder / "ray", num_gpus=1)  # a logical one, for scheduling: Ray does not ask whether it exists
    with running(node.part(), short_folder / "logs"), pytest.MonkeyPatch.context() as patched:
        for name, value in node.environment.items():
            patched.setenv(name, value)
        yield node
        _disconnect()
    shutil.rmtree(node.temp_folder, ignore_errors=True)


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a test of its own: its names, its folder, and the addresses of whichever real parts the test asks for."""
    return make_settings(request, tmp_path)


def make_settings(request: pytest.FixtureRequest, home: Path, **sections: Any) -> Settings:
    asked = set(request.fixturenames)
    if "kafka_servers" in asked:
        sections.setdefault("kafka", KafkaSettings(bootstrap_servers=request.getfixturevalue("kafka_servers")))
    if "redis_url" in asked:
        sections.setdefault("redis", RedisSettings(url=request.getfixturevalue("redis_url")))
    if "ray_cluster" in asked:
        node = request.getfixturevalue("ray_cluster")
        sections.setdefault("ray", RaySettings(address=node.address, dashboard_url=node.dashboard_url))
    return Settings(home=home, names_prefix=f"t{uuid.uuid4().hex[:8]}-", **sections)


def start_ray_node(folder: Path, **settings: Any) -> RayNode:
    ports: list[int] = []
    while len(ports) < 2:
        ports.append(pick_port(taken=ports))
    node = RayNode(folder, *ports, RaySettings(object_store_mb=200, **settings))
    node.prepare()
    return node


@pytest.fixture(scope="module")  # Playwright's own event loop runs in this thread as long as the browser lives
def browser() -> Iterator[Any]:
    """A real browser: an installed Chrome or Chromium, else Playwright's own download."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=installed_browser(), args=list(BROWSER_OPTIONS))
        except Error as error:
            reason = "no browser: install Chrome or Chromium, or run `.venv/bin/playwright install chromium`"
            if os.environ.get("CI") == "true":
                pytest.fail(f"{reason} ({error})")
            pytest.skip(reason)
        yield launched
        launched.close()


def _disconnect() -> None:
    import ray

    if ray.is_initialized():
        ray.shutdown()
