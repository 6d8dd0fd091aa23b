"""The recorder on a real broker and Redis: what it writes, that it counts once, that it rebuilds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.bus import topics
from services.contract.settings import RedisSettings, Settings
from services.recorder.rebuild import RebuildStalledError, rebuild
from services.results.active import get_active
from services.results.connection import connect
from tests.conftest import make_settings
from tests.own_store import OwnStore
from tests.plant import wait_for
from tests.recording import WITHIN_S, Recording, check, endless_load, flagged_in_sql, recorder, recording_for

CONFIG = """
[[lines]]
id = "bolts"
model = "no-such-model"
cameras = [{ id = "top", source = "push:" }]

[[lines]]
id = "nuts"
"""


@pytest.fixture
def recording(request: pytest.FixtureRequest, tmp_path: Path, kafka_servers: str, own_redis: OwnStore) -> Iterator[Recording]:
    settings = make_settings(request, tmp_path / "home", redis=RedisSettings(url=SecretStr(own_redis.address)))
    with recording_for(settings) as recording:
        yield recording


def test_inspections_reach_both_stores_and_those_that_come_twice_count_once(recording: Recording, tmp_path: Path) -> None:
    settings = recording.settings
    (tmp_path / "loupe.toml").write_text(CONFIG)
    recording.write(400, repeat=10)

    with recorder(settings, tmp_path / "log", config=tmp_path / "loupe.toml") as process:
        wait_for(lambda: recording.backlog() == 0 and recording.ledger().inspected == 400, WITHIN_S, process.log)
        wait_for(lambda: flagged_in_sql(settings) == recording.flagged, WITHIN_S, process.log)
        recording.write(40)
        wait_for(lambda: recording.ledger().inspected == 440, WITHIN_S, process.log)
        redis = connect(settings)
        wait_for(lambda: get_active(redis, settings.names, "nuts") is not None, WITHIN_S, process.log)
        exit_code = process.stop()

    assert exit_code == 0
    assert recording.ledger().redelivered == 40
    assert [counts.frames for counts in recording.counts()] == [110] * 4
    assert not get_active(redis, settings.names, "bolts").judging  # type: ignore[union-attr]
    assert "no-such-model" in process.log()
    assert "recorded, not judged" in process.log()


def test_an_emptied_redis_is_filled_again_under_load_and_rebuilt_on_demand(recording: Recording, tmp_path: Path) -> None:
    settings, redis = recording.settings, connect(recording.settings)
    (tmp_path / "loupe.toml").write_text(CONFIG)
    with recorder(settings, tmp_path / "log", config=tmp_path / "loupe.toml") as process, endless_load(recording):
        wait_for(lambda: recording.ledger().inspected > 400 and get_active(redis, settings.names, "nuts") is not None, WITHIN_S, process.log)
        redis.flushall()
        republished_s = wait_for(lambda: get_active(redis, settings.names, "nuts") is not None, WITHIN_S, process.log)
        wait_for(lambda: recording.ledger().inspected > 800, WITHIN_S, process.log)
        shown: list[tuple[int, int]] = []
        again = rebuild(settings, lambda done, of: shown.append((done, of)))

    with recorder(settings, tmp_path / "log") as process:
        wait_for(lambda: recording.backlog() == 0, WITHIN_S, process.log)
        wait_for(lambda: flagged_in_sql(settings) == recording.flagged, WITHIN_S, process.log)

    told = check(recording)
    print(f"\n{told}; active values came back {republished_s:.1f} s after FLUSHALL, {again} inspections were read again by the rebuild")  # noqa: T201
    assert republished_s < 2.5
    assert again > 400
    assert shown[-1] == (again, again)


def test_a_frames_topic_made_anew_has_a_ledger_of_its_own(recording: Recording, tmp_path: Path) -> None:
    settings = recording.settings
    before = recording.frames_topic_id
    with recorder(settings, tmp_path / "log") as process:
        recording.write(40)
        wait_for(lambda: recording.ledger().inspected == 40, WITHIN_S, process.log)

        topics.delete_topics(settings, [settings.names.frames])
        wait_for(lambda: not made_again(settings, before), 30)
        recording.made_anew(topics.topic_id(settings, settings.names.frames))
        recording.write(80)

        wait_for(lambda: recording.ledger().inspected == 80, WITHIN_S, process.log)
        recording.frames_topic_id = before
        assert recording.ledger().inspected == 40


def test_a_rebuild_that_nobody_does_says_so(recording: Recording) -> None:
    recording.write(40)

    with pytest.raises(RebuildStalledError, match="does the recorder run"):
        rebuild(recording.settings, stalled_after_s=0.5)


def made_again(settings: Settings, before: str) -> bool:
    """True while the topic of before is still there."""
    topics.ensure_topics(settings)
    return topics.topic_id(settings, settings.names.frames) == before
