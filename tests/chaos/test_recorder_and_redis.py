"""The recorder, Redis or SQL goes away under load: nothing is lost, nothing counts twice, and what can go on goes on."""

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.contract.settings import RedisSettings
from tests.conftest import make_settings
from tests.own_store import OwnStore
from tests.plant import wait_for
from tests.recording import WITHIN_S, RecorderProcess, Recording, check, endless_load, flagged_in_sql, recorder, recording_for

BACKLOG = 500


@pytest.fixture
def recording(request: pytest.FixtureRequest, tmp_path: Path, kafka_servers: str, own_redis: OwnStore) -> Iterator[Recording]:
    settings = make_settings(request, tmp_path / "home", redis=RedisSettings(url=SecretStr(own_redis.address)))
    with recording_for(settings) as recording:
        yield recording


def test_a_recorder_killed_in_the_middle_of_a_backlog_counts_nothing_twice(recording: Recording, tmp_path: Path) -> None:
    recording.write(400)
    with recorder(recording.settings, tmp_path / "log") as killed:
        wait_for(lambda: recording.backlog() == 0, WITHIN_S, killed.log)
        backlog = kill_in_a_backlog(recording, killed)

    assert backlog > BACKLOG
    with recorder(recording.settings, tmp_path / "log") as successor:
        recovered_s = wait_for(lambda: recording.backlog() < backlog, WITHIN_S, successor.log)
        wait_for(lambda: recording.backlog() == 0, WITHIN_S, successor.log)
        wait_for(lambda: flagged_in_sql(recording.settings) == recording.flagged, WITHIN_S, successor.log)

        told = check(recording)
        print(f"\n{told}: killed with a backlog of {backlog}, its successor wrote on after {recovered_s:.1f} s")  # noqa: T201
        assert successor.pid != killed.pid
        assert recording.ledger().redelivered > 0


def test_a_redis_killed_under_load_loses_nothing(recording: Recording, own_redis: OwnStore, tmp_path: Path) -> None:
    """It comes back without its last second; the recorder reads that again, and goes on from there."""
    with recorder(recording.settings, tmp_path / "log") as process, endless_load(recording):
        wait_for(lambda: recording.ledger().inspected > 400, WITHIN_S, process.log)
        victim = own_redis.pid
        own_redis.kill()
        wait_for(lambda: "recorder-live: the store is away" in process.log(), WITHIN_S, process.log)
        sent = recording.sent
        wait_for(lambda: recording.sent > sent + BACKLOG, WITHIN_S, process.log)
        in_sql = flagged_in_sql(recording.settings)
        wait_for(lambda: flagged_in_sql(recording.settings) > in_sql, WITHIN_S, process.log)
        own_redis.start()
        recovered_s = wait_for(lambda: recording.ledger().inspected > sent, WITHIN_S, process.log)

    with recorder(recording.settings, tmp_path / "log") as process:
        wait_for(lambda: recording.backlog() == 0, WITHIN_S, process.log)
        told = check(recording)

    print(f"\n{told}: wrote on {recovered_s:.1f} s after Redis answered again")  # noqa: T201
    assert own_redis.pid != victim


def test_a_locked_database_holds_up_nothing_else(recording: Recording, tmp_path: Path) -> None:
    settings = recording.settings
    with recorder(settings, tmp_path / "log") as process:
        recording.write(40)
        wait_for(lambda: flagged_in_sql(settings) == recording.flagged, WITHIN_S, process.log)

        lock = sqlite3.connect(settings.records_url.removeprefix("sqlite:///"), isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        locked_out = recording.flagged
        recording.write(400)
        wait_for(lambda: recording.ledger().inspected == 440, WITHIN_S, process.log)
        wait_for(lambda: "recorder-records: the store is away" in process.log(), WITHIN_S, process.log)
        assert flagged_in_sql(settings) == locked_out
        lock.execute("ROLLBACK")
        lock.close()

        wait_for(lambda: flagged_in_sql(settings) == recording.flagged, WITHIN_S, process.log)


def kill_in_a_backlog(recording: Recording, process: RecorderProcess) -> int:
    """Stopped while the backlog grows, then killed as soon as it writes again; returns the backlog that it left."""
    process.signal(signal.SIGSTOP)
    recording.write(8000, repeat=20)
    before = recording.backlog()
    process.signal(signal.SIGCONT)
    wait_for(lambda: recording.backlog() < before, WITHIN_S, process.log)
    process.signal(signal.SIGKILL)
    process.wait()
    return recording.backlog()
