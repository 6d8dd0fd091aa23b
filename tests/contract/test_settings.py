"""Settings: who wins, and that every mistake names its key, its value and what was expected."""

import json
import pickle
from pathlib import Path

import pytest

from services.contract.settings import IngestSettings, Settings, SettingsError, load

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without a loupe.toml, and none of the caller's own settings."""
    import os

    for name in [name for name in os.environ if name.startswith("LOUPE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write_toml(text: str) -> None:
    Path("loupe.toml").write_text(text)


def test_without_anything_the_defaults_are_valid() -> None:
    settings = load()

    assert settings.home == Path(".loupe")
    assert settings.lines == ()
    assert settings.records_url == f"sqlite:///{Path('.loupe/records.sqlite').absolute()}"
    assert settings.archive_url == f"file://{Path('.loupe/archive').absolute()}"


def test_the_file_stands_above_the_defaults() -> None:
    write_toml('home = "elsewhere"\n[inspection]\nbatch_frames = 7\n')

    settings = load()

    assert (settings.home, settings.inspection.batch_frames) == (Path("elsewhere"), 7)


def test_a_running_stack_stands_above_the_file_and_leaves_its_other_keys() -> None:
    write_toml('[kafka]\nbootstrap_servers = "file:1"\npartitions = 8\n')
    running({"kafka": {"bootstrap_servers": "running:2"}})

    settings = load()

    assert (settings.kafka_servers, settings.kafka.partitions) == ("running:2", 8)


def test_the_environment_stands_above_a_running_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    running({"kafka": {"bootstrap_servers": "running:2"}, "redis": {"url": "redis://running:6379/0"}})
    monkeypatch.setenv("LOUPE_KAFKA__BOOTSTRAP_SERVERS", "environment:3")

    settings = load()

    assert (settings.kafka_servers, settings.redis_url) == ("environment:3", "redis://running:6379/0")


def test_arguments_stand_above_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_NAMES_PREFIX", "environment-")

    assert load(names_prefix="argument-").names.frames == "argument-frames"


def test_a_section_may_come_as_json_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_KAFKA__CLIENT", '{"security_protocol": "SSL"}')

    assert load().kafka.client == {"security_protocol": "SSL"}


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_CONFIG", "missing.toml")

    with pytest.raises(SettingsError, match=r"LOUPE_CONFIG.*missing\.toml"):
        load()


def test_a_file_that_is_not_toml_is_named() -> None:
    write_toml("lines = [")

    with pytest.raises(SettingsError, match=r"loupe\.toml: expected TOML"):
        load()


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[inspection]\nbatch_frames = 0", ("inspection.batch_frames", "0", "greater than or equal to 1")),
        ("[inspection]\nbatch_frame = 8", ("inspection.batch_frame", "8", "not permitted")),
        ('[inspection]\ndetector = "magic"', ("inspection.detector", "magic", "'dsr', 'null' or 'decode'")),
        ('[site]\ntime_zone = "Mars/North"', ("site.time_zone", "Mars/North", "IANA")),
        ("[inspector]\nmin_replicas = 3\nmax_replicas = 2", ("inspector", "min_replicas <= max_replicas", "3 > 2")),
        ('[dashboard]\nhost = "0.0.0.0"', ("dashboard", "0.0.0.0", "loopback")),
        ('[[lines]]\nid = "Metal"', ("lines.0.id", "Metal", "pattern")),
        ('[[lines]]\nid = "metal"\ncameras = [{ id = "top" }]', ("lines.0.cameras.0.source", "required")),
        ('[[lines]]\nid = "metal"\nwhen_full = "panic"', ("lines.0.when_full", "panic", "'wait' or 'drop'")),
        ("colour = 1", ("colour", "1", "not permitted")),
    ],
)
def test_a_mistake_names_key_value_and_expectation(toml: str, says: tuple[str, ...]) -> None:
    write_toml(toml)

    with pytest.raises(SettingsError) as raised:
        load()

    assert [part for part in (*says, "loupe.toml") if part not in str(raised.value)] == []


def test_all_mistakes_are_told_at_once() -> None:
    write_toml("colour = 1\n[inspection]\nbatch_frames = 0\n")

    with pytest.raises(SettingsError) as raised:
        load()

    assert len(str(raised.value).splitlines()) == 2


def test_an_address_that_nobody_gave_says_how_to_get_one() -> None:
    with pytest.raises(SettingsError, match=r"kafka\.bootstrap_servers: not set.*loupe up"):
        _ = load().kafka_servers


def test_listening_beyond_loopback_needs_one_explicit_setting() -> None:
    write_toml('[dashboard]\nhost = "0.0.0.0"\nbeyond_loopback = true\n')

    assert load().dashboard.host == "0.0.0.0"


def test_secrets_do_not_show_in_a_printed_setting() -> None:
    write_toml('[redis]\nurl = "redis://:hunter2@127.0.0.1/0"\n[[lines]]\nid = "metal"\npush_token = "hunter2"\n')

    settings = load()

    assert "hunter2" not in repr(settings)
    assert settings.redis_url == "redis://:hunter2@127.0.0.1/0"


def test_settings_cannot_be_changed_behind_anyones_back() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().inspection.batch_frames = 1


def test_settings_travel_to_other_processes() -> None:
    write_toml('[redis]\nurl = "redis://:hunter2@127.0.0.1/0"\n[[lines]]\nid = "metal"\n')
    settings = load()

    assert pickle.loads(pickle.dumps(settings)) == settings


def test_ingest_and_dashboard_do_not_want_the_same_port() -> None:
    assert IngestSettings().port != Settings().dashboard.port


def test_the_demo_has_four_lines_of_one_synthetic_camera_each(monkeypatch: pytest.MonkeyPatch) -> None:
    from services.ingest.address import SyntheticAddress, parse_source
    from services.ingest.synthetic import KINDS

    monkeypatch.chdir(ROOT)
    settings = load()

    addresses = [parse_source(line.cameras[0].source) for line in settings.lines]
    assert [line.id for line in settings.lines] == list(KINDS)
    assert [(type(address), address.kind) for address in addresses if isinstance(address, SyntheticAddress)] == [(SyntheticAddress, kind) for kind in KINDS]
    assert {line.model for line in settings.lines} == {"demo"}


def running(endpoints: dict[str, object]) -> None:
    Path(".loupe").mkdir()
    Path(".loupe/endpoints.json").write_text(json.dumps(endpoints))
