"""`loupe dataset`: from a folder and from verdicts to versions, shown, listed and exported, on real records, archive and files; no stack runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from services.cli import app
from services.contract.settings import ReviewSettings, Settings
from services.contract.verdict import Answer
from services.records.audit import Audit
from services.records.database import Database
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.verdicts import Said
from tests.databases import with_tables
from tests.review.makers import ANNA
from tests.training.dataset_makers import drawn, outline, png, surface
from training.labelled import labelled_samples


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    for name, value in {"HOME": str(tmp_path), "DATASET__HELD_OUT_SHARE": "0.4", "DATASET__CALIBRATION_SHARE": "0.2"}.items():
        monkeypatch.setenv(f"LOUPE_{name}", value)
    made = Settings(home=tmp_path, review=ReviewSettings(second_share=0))
    with_tables(made.records_url)
    return made


@pytest.fixture
def records(settings: Settings) -> Iterator[Records]:
    opened = Records(settings.records_url)
    opened.add_line("metal")
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """20 good pictures and 8 dents of one product in MVTec layout."""
    for number in range(20):
        _write(tmp_path / "bracket" / "train" / "good" / f"{number:03}.png", surface(number))
    for number in range(8):
        _write(tmp_path / "bracket" / "test" / "dent" / f"{number:03}.png", surface(200 + number))
        _write(tmp_path / "bracket" / "ground_truth" / "dent" / f"{number:03}_mask.png", outline())
    return tmp_path / "bracket"


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(pixels))


def loupe(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["dataset", *arguments])


def told(*arguments: str) -> dict:
    done = loupe(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_history_is_imported_built_shown_listed_and_exported(records: Records, settings: Settings, folder: Path) -> None:
    imported = told("import", "metal", "--data", str(folder))
    again = told("import", "metal", "--data", str(folder))
    first = told("build", "metal")
    same = told("build", "metal")

    assert imported == {"line": "metal", "pictures": 28, "same": 0, "good": 20, "defect": 8, "without_mask": 0, "groups": 28, "added": 28}
    assert again["added"] == 0
    assert (first["new"], same["new"], same["id"], first["pictures"]) == (True, False, first["id"], 28)
    assert told("show", "metal") == told("show", first["id"][:10]) == {key: value for key, value in first.items() if key != "new"}
    assert [(one["id"], one["newest"], one["problem"]) for one in told("list", "metal")] == [(first["id"], True, None)]
    exported = told("export", "metal", "--to", "mvtec", "--out", "out")
    assert sum(exported["pictures"].values()) == 28
    held_out = first["splits"]["held-out"]
    assert len(list(labelled_samples(Path("out")))) == held_out["pictures"] > 0
    assert told("export", first["id"][:10], "--to", "coco", "--out", "coco")["pictures"]["held-out"] == held_out["pictures"]
    database = Database(settings.records_url)
    assert [deed.action for deed in Audit(database).deeds(action="dataset.")] == ["dataset.build", "dataset.import"]
    database.close()


def test_for_people_it_is_a_table_what_was_left_out_and_what_is_missing(records: Records, settings: Settings, folder: Path) -> None:
    imported = loupe("import", "metal", "--data", str(folder), "--group", r"(\d+)\.png")
    gone = next(path for path in (settings.datasets_path / "pictures" / "frames").rglob("*") if path.is_file())
    gone.unlink()

    built, shown, listed = loupe("build", "metal"), loupe("show", "metal"), loupe("list")

    assert imported.stdout.startswith("metal: 28 pictures, 0 same, 20 good, 8 defect, 0 without mask, 20 groups; 28 new verdicts\n")
    assert "left out: 1, picture or mask gone or damaged: metal/import/history/" in built.stdout
    assert "too small: calibration: 1% false rejects can be promised from 299 good groups on" in built.stdout
    assert shown.stdout.startswith(built.stdout)
    assert "newest" in listed.stdout
    assert loupe("build", "metal").stdout.startswith("metal: nothing new, still\n")


def test_verdicts_of_the_line_and_a_sample_of_its_drawn_frames_make_a_version(records: Records, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, database = Archive(settings), Database(settings.records_url)
    desk = Desk.of(settings, database, archive)
    records.flagged.add([drawn(archive, number) for number in range(30)])  # type: ignore[arg-type]
    for number, answer in ((0, Answer.GOOD), (1, Answer.DEFECT), (2, Answer.GOOD)):
        desk.verdicts.give(f"metal/top/s1/{number}", Said(answer=answer, blind=True), ANNA)
    desk.verdicts.undo("metal/top/s1/2", ANNA)
    database.close()

    with_all = told("build", "metal")
    monkeypatch.setenv("LOUPE_DATASET__MOST_UNREVIEWED", "0")
    with_none = told("build", "metal")

    answered = {"good": 1, "defect": 1}
    assert {answer: sum(split[answer] for split in with_all["splits"].values()) for answer in answered} == answered
    assert {split: counted["unreviewed"] for split, counted in with_all["splits"].items() if split != "train"} == {"calibration": 0, "held-out": 0}
    unreviewed = with_all["splits"]["train"]["unreviewed"]
    assert unreviewed + with_all["left_out"]["unreviewed, and not of a group that teaches"]["frames"] == 27
    rows = [json.loads(line) for line in (Path(with_all["path"]) / "manifest.jsonl").read_text().splitlines()]
    assert {row["weight"] for row in rows} == {50.0}
    assert (with_none["pictures"], with_none["parent"]) == (2, with_all["id"])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("build", "fabric"), "line 'fabric': expected one of ['metal']"),
        (("build", "metal"), "expected reviewed frames whose pictures are there, got none of 0; review flagged frames, or `loupe dataset import` some"),
        (("import", "metal", "--data", "nowhere"), "nowhere: expected one product in MVTec layout"),
        (("import", "metal", "--data", ".", "--group", "missing.csv"), "missing.csv"),
        (("import", "metal", "--data", "bracket", "--group", "["), "--group: expected a CSV file or a regular expression, got '['"),
        (("show", "metal"), "dataset 'metal': expected a line whose dataset was built, or the id of a version"),
        (("export", "0123456789", "--to", "coco", "--out", "out"), "dataset '0123456789': expected one version in"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(arguments: tuple[str, ...], problem: str, records: Records) -> None:
    refused = loupe(*arguments)

    assert refused.exit_code == 1
    assert problem in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_line_that_only_the_settings_name_is_known(settings: Settings, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "loupe.toml").write_text('[[lines]]\nid = "bracket"\n')

    assert told("import", "bracket", "--data", str(folder))["added"] == 28
