"""`loupe verdicts`: said from a script, listed and exported, over the REST of a dashboard that runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.cli import app
from services.contract.settings import DashboardSettings, RedisSettings, Settings
from services.contract.verdict import Verdict
from services.records.accounts import Role
from services.records.store import Records
from services.results.archive import Archive
from tests.dashboard_process import dashboard_part
from tests.databases import with_tables
from tests.people import bearer
from tests.review.makers import add_line, drawn, flag


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Redis is away, as is Kafka: verdicts need neither."""
    home = tmp_path_factory.mktemp("verdicts")
    made = Settings(home=home, redis=RedisSettings(url=f"redis://127.0.0.1:{pick_port()}/0"), dashboard=DashboardSettings(port=pick_port()))
    with_tables(made.records_url)
    return made


@pytest.fixture(scope="module")
def frames(settings: Settings) -> Iterator[list[str]]:
    records, archive = Records(settings.records_url), Archive(settings)
    add_line(records)
    yield [flag(records, archive, number, reason="blind-check" if number == 2 else "flagged").frame_id for number in range(3)]
    records.close()


@pytest.fixture(scope="module", autouse=True)
def dashboard(settings: Settings, frames: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with running(dashboard_part(settings), tmp_path_factory.mktemp("logs")):
        yield


@pytest.fixture(autouse=True)
def here(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    token = bearer(settings, Role.SUPERVISOR, "script")["authorization"].removeprefix("Bearer ")
    for name, value in {"HOME": str(settings.home), "DASHBOARD__PORT": str(settings.dashboard.port), "DASHBOARD__TOKEN": token}.items():
        monkeypatch.setenv(f"LOUPE_{name}", value)


def loupe(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["verdicts", *arguments])


def test_verdicts_are_given_corrected_listed_and_exported(frames: list[str], tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(drawn())

    first = json.loads(loupe("give", frames[0], "defect", "--mask", "mask.png", "--json").stdout)
    refused = loupe("give", frames[0], "good")
    loupe("give", frames[0], "good", "--supersede")
    blind = loupe("give", frames[2], "good")
    loupe("export", "--out", "verdicts.jsonl")

    assert (first["mask_source"], first["given_by"]) == ("person", "token:script")
    assert (refused.exit_code, "--supersede corrects that" in refused.stderr) == (1, True)
    assert blind.stdout == f"{frames[2]}: good, blind, as token:script\n"
    exported = [Verdict.from_json(line.encode()) for line in (tmp_path / "verdicts.jsonl").read_text().splitlines()]
    assert [(one.frame_id, one.answer.value) for one in exported] == [(frames[0], "defect"), (frames[0], "good"), (frames[2], "good")]
    assert len(loupe("export", "--current").stdout.splitlines()) == 2
    assert [one["verdict"]["frame_id"] for one in json.loads(loupe("list", "--count", "1", "--json").stdout)] == [frames[2]]
    assert "superseded" in loupe("list").stdout


def test_a_frame_that_nobody_flagged_is_one_clear_line() -> None:
    refused = loupe("give", "metal/top/s1/99", "good")

    assert refused.exit_code == 1
    assert "404: frame metal/top/s1/99: expected a flagged one" in refused.stderr


def test_a_part_is_made_golden_listed_and_taken_out(frames: list[str]) -> None:
    loupe("give", frames[1], "defect")

    added = golden("add", frames[1], "--reason", "the faintest that we reject")
    listed = json.loads(golden("list", "metal", "--json").stdout)
    removed = golden("remove", frames[1], "--reason", "worn out")

    assert added.stdout == f"{frames[1]}: golden, by token:script\n"
    assert [(one["frame_id"], one["reason"]) for one in listed] == [(frames[1], "the faintest that we reject")]
    assert removed.stdout == f"{frames[1]}: no longer golden\n"
    assert "no golden parts yet" in golden("list", "metal").stdout


def golden(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["golden", *arguments])
