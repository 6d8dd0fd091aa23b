"""A newcomer's own pictures become a detector with thresholds; every error is one line on standard error."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from models.registry import Registry, read_version, weights_hash
from services.cli import app
from services.cli.models import slug
from services.contract.inspection import Calibration
from tests.networks import SIDE, TINY, striped
from training import recipes
from training.recipes import StageRecipe, smoke

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    """Good pictures of a striped product, and two to test with."""
    folder = tmp_path / "My Stripes"
    for place, count in (("train/good", 40), ("test/good", 2), ("test/spot", 2)):
        (folder / place).mkdir(parents=True)
        for index in range(count):
            cv2.imwrite(str(folder / place / f"{index:02}.png"), drawn_stripes(index, spot="spot" in place))
    (folder / "ground_truth" / "spot").mkdir(parents=True)
    for index in range(2):
        cv2.imwrite(str(folder / "ground_truth" / "spot" / f"{index:02}_mask.png"), np.pad(np.full((16, 16), 255, np.uint8), 40))
    return folder


def drawn_stripes(seed: int, *, spot: bool = False) -> np.ndarray:
    pixels = striped(seed, side=96)
    if spot:
        pixels[40:56, 40:56] = 250
    return pixels


def loupe(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """A recipe of a few steps."""

    def stage(steps: int) -> StageRecipe:
        return StageRecipe(steps, 2, 1e-3, warm_up=2)

    plan = replace(smoke(), name="tiny", config=TINY, side=SIDE, crop=32, objects=stage(4), detection=stage(4), upsampling=stage(4))
    monkeypatch.setitem(recipes.RECIPES, "tiny", lambda: plan)
    return plan.name


def test_own_pictures_become_a_calibrated_detector(stripes: Path, version: Path, tiny: str, tmp_path: Path):
    trained = loupe("train", "detector", "--data", stripes, "--codec", version, "--recipe", "tiny", "--out", tmp_path / "mine", "--threads", 1)

    assert trained.exit_code == 0, trained.stderr
    made = Registry(tmp_path / "models").add(tmp_path / "mine")
    suggestion = made.suggested_calibration("my-stripes")
    assert suggestion is not None
    assert 0 < suggestion["review"] < suggestion["fail"]
    assert suggestion["groups"] + made.card["data"]["My Stripes"] == 40  # nothing taught that calibrates
    assert str(tmp_path) not in json.dumps(made.card)
    assert (tmp_path / ".loupe" / "mlflow.sqlite").is_file()


def test_defects_of_chosen_groups_are_learnt_too(stripes: Path, version: Path, tiny: str, tmp_path: Path):
    (tmp_path / "some.txt").write_text("My Stripes/test/spot/01.png\n")
    words = ("--start", version, "--recipe", tiny, "--side", 96, "--flips", "--defects", stripes, "--groups", tmp_path / "some.txt", "--no-track")

    trained = loupe("train", "detector", "--data", stripes, "--out", tmp_path / "mine", *words)

    assert trained.exit_code == 0, trained.stderr
    card = json.loads((tmp_path / "mine" / "card.json").read_text())
    assert card["defects"] == {"spot": 1}
    assert "--defects My Stripes --start tiny --side 96 --flips --groups some.txt" in card["command"]
    assert json.loads((tmp_path / "mine" / "version.json").read_text())["preprocessing"]["side"] == 96
    assert not (tmp_path / ".loupe" / "mlflow.sqlite").exists()


def test_a_synthetic_line_is_calibrated_into_a_file(version: Path, tmp_path: Path):
    result = loupe("calibrate", "--model", version, "--synthetic", "ceramic-tile", "--frames", 12, "--line", "tiles", "--out", tmp_path / "tiles.json")

    assert result.exit_code == 0, result.stderr
    written = json.loads((tmp_path / "tiles.json").read_text())
    assert Calibration.model_validate(written).review == written["review"]
    assert (written["line"], written["groups"], written["model_version"]) == ("tiles", 12, read_version(version).id)
    assert "needs 299 groups" in result.stderr
    assert "--synthetic ceramic-tile --frames 12 --seed 20011" in written["command"]


def test_suggestions_for_other_weights_leave_the_card(version: Path, stripes: Path):
    (version / "card.json").write_text(json.dumps({"name": "tiny", "calibrations": {"old": {"review": 0.1, "weights_sha256": "0" * 64}}}))

    result = loupe("calibrate", "--model", version, "--data", stripes, "--suggest")

    assert result.exit_code == 0, result.stderr
    calibrations = json.loads((version / "card.json").read_text())["calibrations"]
    assert list(calibrations) == ["my-stripes"]
    assert calibrations["my-stripes"]["weights_sha256"] == weights_hash(version)


def test_a_version_in_the_registry_stays_as_it_is(version: Path, stripes: Path, tmp_path: Path):
    added = Registry(tmp_path / ".loupe" / "models").add(version)

    result = loupe("calibrate", "--model", added.id[:12], "--data", stripes, "--suggest")

    assert result.exit_code == 1
    assert "never changes" in result.stderr


def test_labelled_pictures_are_evaluated(version: Path, stripes: Path):
    result = loupe("evaluate", "--model", version, "--data", stripes, "--json")

    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert {"image_auroc", "pixel_ap", "lines", "lowest_line", "baseline_image_auroc", "frames"} <= report.keys()
    assert report["lines"]["My Stripes"]["kinds"]["spot"]["frames"] == 2
    assert report["baseline_image_auroc"] == 1.0


def test_synthetic_lines_are_evaluated_alike_twice(version: Path):
    first, second = (json.loads(loupe("evaluate", "--model", version, "--synthetic", 8, "--json").stdout) for _ in range(2))

    assert first == second
    assert (first["frames"], first["seed"], len(first["lines"])) == (8, 30_011, 4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("calibrate", "--model", "demo"), "either --data or --synthetic"),
        (("calibrate", "--model", "no-such", "--synthetic", "all"), "got 'no-such'"),
        (("evaluate", "--model", "abcdef123", "--synthetic", 8), "abcdef123"),
        (("train", "detector", "--data", "nowhere", "--out", "mine", "--recipe", "smoke", "--no-track"), "nowhere'"),
        (("train", "codec", "--data", "nowhere", "--out", "mine", "--recipe", "huge"), "recipe: expected one of"),
        (("train", "detector", "--data", "nowhere", "--out", "mine", "--side", 100), "side: expected a multiple of 32, got 100"),
    ],
)
def test_an_error_is_one_line(words: tuple[object, ...], message: str):
    result = loupe(*words)

    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_folder_name_becomes_the_id_of_a_line():
    assert [slug(name) for name in ("magnetic_tile", "My Stripes!", "ÄÖ")] == ["magnetic-tile", "my-stripes", "line"]
