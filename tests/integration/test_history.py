"""The recorder's history on a real broker: killed in the middle of its writing, it has every inspection once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from services.contract.settings import HistorySettings, Settings
from services.history.catalog import read_manifest
from tests.conftest import make_settings
from tests.plant import wait_for
from tests.recording import LINES, WITHIN_S, RecorderProcess, Recording, recorder, recording_for

KILLS = 2


@pytest.fixture
def recording(request: pytest.FixtureRequest, tmp_path: Path, kafka_servers: str, redis_url: str) -> Iterator[Recording]:
    settings = make_settings(request, tmp_path / "home", history=HistorySettings(write_every_s=0, write_rows=1))
    with recording_for(settings) as recording:
        yield recording


def test_a_recorder_killed_while_it_writes_has_every_inspection_once(recording: Recording, tmp_path: Path) -> None:
    settings = recording.settings
    recording.write(400, repeat=10)

    for _ in range(KILLS):
        with recorder(settings, tmp_path / "log") as killed:
            kill_in_a_backlog(recording, killed)
        assert rows(settings) < recording.sent

    with recorder(settings, tmp_path / "log") as process:
        wait_for(lambda: rows(settings) >= recording.sent, WITHIN_S, process.log)
        recording.write(40, repeat=10)
        wait_for(lambda: rows(settings) >= recording.sent, WITHIN_S, process.log)
        assert process.stop() == 0

    found, frames = counted(settings)
    print(f"\nsent {recording.sent}, rows {found}, different frames {frames}; killed {KILLS} times")  # noqa: T201
    assert (found, frames) == (recording.sent, recording.sent)
    assert {one.line for one in read_manifest(settings.history_path).files} == set(LINES)


def kill_in_a_backlog(recording: Recording, process: RecorderProcess) -> None:
    """Stopped while the backlog grows, then killed as soon as it writes again."""
    wait_for(lambda: rows(recording.settings) >= min(recording.sent, 400), WITHIN_S, process.log)
    process.signal(signal.SIGSTOP)
    recording.write(4000, repeat=20)
    before = rows(recording.settings)
    process.signal(signal.SIGCONT)
    wait_for(lambda: rows(recording.settings) > before, WITHIN_S, process.log)
    process.signal(signal.SIGKILL)
    process.wait()


def rows(settings: Settings) -> int:
    return sum(one.rows for one in read_manifest(settings.history_path).files)


def counted(settings: Settings) -> tuple[int, int]:
    """Rows and different frames, by the files that the manifest names."""
    files = [str(settings.history_path / one.path) for one in read_manifest(settings.history_path).files]
    found = duckdb.execute("SELECT count(*), count(DISTINCT frame_id) FROM read_parquet($files, hive_partitioning = false)", {"files": files}).fetchone()
    assert found is not None
    return found[0], found[1]
