"""`loupe up` with the real parts: it serves, mends itself, outlives its own death, and leaves nothing behind. The tests follow one stack in order."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import redis
from kafka import KafkaConsumer, TopicPartition

from infra.embedded.control import start_detached
from infra.embedded.process import Identity
from infra.embedded.state import PartState, strays
from services.contract.settings import LOOPBACK
from tests.loupe_stack import endpoints, environment, loupe, running, stack_home, status, wait_for

CONFIGURATION = """
[ray]
object_store_mb = 100
num_gpus = 0
[inspection]
detector = "null"
[inspector]
max_replicas = 1
[kafka]
partitions = 2
[[lines]]
id = "metal"
model = "demo"
[[lines.cameras]]
id = "cam-1"
source = "synthetic:brushed-metal?fps=2"
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with stack_home(CONFIGURATION) as home:
        yield home


@pytest.fixture(scope="module")
def stack(home: Path) -> Path:
    start_detached(home, environment(home))
    return home


def test_every_part_serves(stack: Path) -> None:
    assert {name: part.state for name, part in running(stack).parts.items()} == {
        "inspection": PartState.DONE,
        **dict.fromkeys(("kafka", "redis", "ray", "recorder", "ingest", "dashboard", "trainer"), PartState.RUNNING),
    }


def test_status_tells_processes_and_lines_on_standard_output_alone(stack: Path) -> None:
    wait_for(lambda: status(stack)["ledger"]["sent"] > 0)

    answer = status(stack)

    assert {"processes", "lines", "ledger", "lag", "latency", "replicas", "models"} <= set(answer)
    assert [line["id"] for line in answer["lines"]] == ["metal"]
    assert {process["name"] for process in answer["processes"]} == set(running(stack).parts)


def test_everything_listens_on_loopback_alone(stack: Path) -> None:
    servers = [server for one in members(stack) for server in listening(one)]

    assert len(servers) > 6
    assert [server for server in servers if server[1] not in {*LOOPBACK, "::ffff:127.0.0.1"}] == []


def test_secrets_are_their_owners_alone(stack: Path) -> None:
    secrets = ("endpoints.json", "stack.json", "redis/password", "redis/redis.conf", "ray/token", "token", "first-password", "records.sqlite")

    assert {name: oct((stack / name).stat().st_mode & 0o777) for name in secrets} == dict.fromkeys(secrets, "0o600")


def test_the_dashboard_knows_the_command_line_of_this_machine_and_nobody_else(stack: Path) -> None:
    url = f"{running(stack).addresses['dashboard']}/api/v1/lines"

    assert json.loads(loupe(stack, "line", "list", "--json").stdout)[0]["id"] == "metal"
    assert httpx.get(url, trust_env=False).status_code == 401
    assert httpx.get(url, headers={"authorization": f"Bearer {(stack / 'token').read_text()}"}, trust_env=False).status_code == 200


def test_limits_are_changed_by_a_command_that_shows_the_embedded_ray_its_token(stack: Path) -> None:
    done = loupe(stack, "scale", "--min", "0", "--max", "1", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"min_replicas": 0, "max_replicas": 1, "applied": True}


def test_a_second_up_says_that_one_runs_already(stack: Path) -> None:
    second = loupe(stack, "up")

    assert second.returncode == 1
    assert "already runs" in second.stderr


def test_a_killed_part_comes_back_with_its_data(stack: Path) -> None:
    write_mark(stack, "first")
    killed = pid(stack, "redis")

    os.kill(killed, signal.SIGKILL)

    wait_for(lambda: running(stack).ready and pid(stack, "redis") != killed)
    assert read_mark(stack) == "first"


def test_after_the_death_of_the_supervisor_the_next_up_ends_the_orphans_and_finds_the_data(stack: Path) -> None:
    write_mark(stack, "second")
    before = frames_sent(stack)
    supervisor, orphans = running(stack).supervisor, members(stack)
    os.kill(supervisor.pid, signal.SIGKILL)
    wait_for(lambda: supervisor.find() is None)

    start_detached(stack, environment(stack))

    assert [one for one in orphans if one.find() is not None] == []
    assert read_mark(stack) == "second"
    assert frames_sent(stack) >= before > 0


def test_down_leaves_nothing(stack: Path) -> None:
    everybody = [*members(stack), running(stack).supervisor]

    ended = loupe(stack, "down")

    assert (ended.returncode, ended.stdout) == (0, "stopped\n")
    assert [one for one in everybody if one.find() is not None] == []
    assert strays(stack) == []
    assert not (stack / "endpoints.json").exists()
    assert loupe(stack, "status").returncode == 1


def pid(home: Path, part: str) -> int | None:
    identity = running(home).parts[part].identity
    return identity.pid if identity is not None else None


def members(home: Path) -> list[Identity]:
    return list(dict.fromkeys([*running(home).identities(), *strays(home)]))


def listening(identity: Identity) -> list[tuple[str, str, int]]:
    """Name, address and port of each socket that the process listens on."""
    process = identity.find()
    if process is None:
        return []
    with contextlib.suppress(psutil.Error):
        sockets = (one.laddr for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN)
        return [(process.name(), address.ip, address.port) for address in sockets]
    return []


def write_mark(home: Path, text: str) -> None:
    with redis.Redis.from_url(endpoints(home)["redis"]["url"]) as client:
        client.set("mark", text)


def read_mark(home: Path) -> str:
    with redis.Redis.from_url(endpoints(home)["redis"]["url"], decode_responses=True) as client:
        return str(client.get("mark"))


def frames_sent(home: Path) -> int:
    consumer = KafkaConsumer(bootstrap_servers=endpoints(home)["kafka"]["bootstrap_servers"])
    try:
        return sum(consumer.end_offsets([TopicPartition("frames", partition) for partition in (0, 1)]).values())
    finally:
        consumer.close()
