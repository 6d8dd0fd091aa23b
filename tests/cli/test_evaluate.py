"""`loupe evaluate`: what is measured, of which groups, and what is drawn."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from services.cli import app
from tests.networks import striped, write_stripes

TILES = 4

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Test pictures alone: four good tiles and four with a spot, each under two exposures."""
    folder, rows = tmp_path / "tiles", ["image,group"]
    (folder / "ground_truth" / "spot").mkdir(parents=True)
    write_stripes(folder / "test" / "good", 2 * TILES)
    write_stripes(folder / "test" / "spot", 2 * TILES)
    for index in range(2 * TILES):
        pixels, mask = striped(index), np.zeros((64, 64), np.uint8)
        pixels[20:36, 20:36], mask[20:36, 20:36] = 250, 255
        cv2.imwrite(str(folder / "test" / "spot" / f"{index:02}.png"), pixels)
        cv2.imwrite(str(folder / "ground_truth" / "spot" / f"{index:02}_mask.png"), mask)
        rows += [f"test/{kind}/{index:02}.png,{kind}-{index // 2}" for kind in ("good", "spot")]
    (folder / "groups.csv").write_text("\n".join(rows))
    return folder


def loupe(*words: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *(str(word) for word in words)])


def test_the_measures_stand_at_the_top_with_their_intervals_and_kinds(version: Path, tiles: Path):
    result = loupe("--model", version, "--data", tiles, "--json")

    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    for name in ("image_auroc", "image_ap", "pixel_ap", "aupro"):
        low, high = report["intervals"][name]
        assert low <= report[name] <= high
        assert name in report["kinds"]["spot"]
    assert (report["kinds"]["spot"]["frames"], report["kinds"]["spot"]["groups"]) == (2 * TILES, TILES)


def test_without_good_pictures_to_learn_from_there_is_no_median_to_compare_with(version: Path, tiles: Path):
    report = json.loads(loupe("--model", version, "--data", tiles, "--json").stdout)

    assert (report["baseline_image_auroc"], report["baseline_lines"]) == (None, {})


def test_listed_groups_are_measured_or_left_out(version: Path, tiles: Path, tmp_path: Path):
    (tmp_path / "held-out.txt").write_text("tiles/good-0\ntiles/spot-1\ntiles/spot-3\n")
    words = ("--model", version, "--data", tiles, "--json")

    only, others, every = (json.loads(loupe(*words, *more).stdout) for more in (("--groups", "held-out.txt"), ("--except-groups", "held-out.txt"), ()))

    assert [report["frames"] for report in (only, others, every)] == [6, 10, 16]
    assert (only["groups"], others["except_groups"]) == ("held-out.txt", "held-out.txt")
    assert len({report["pictures_sha256"] for report in (only, others, every)}) == 3


def test_curves_and_worst_errors_are_drawn_into_a_folder(version: Path, tiles: Path, tmp_path: Path):
    result = loupe("--model", version, "--data", tiles, "--report", tmp_path / "drawn")

    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["tiles-curves.png", "tiles-errors.png"]
    assert "AUPRO" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "either --synthetic or --data"),
        (("--synthetic", 8, "--groups", "held-out.txt"), "expected --data beside"),
        (("--data", "tiles", "--groups", "nowhere.txt"), "nowhere.txt"),
        (("--data", "tiles", "--groups", "empty.txt"), "expected a group in each line"),
        (("--data", "tiles", "--groups", "others.txt"), "none of tiles/spot-9"),
    ],
)
def test_an_error_is_one_line(tiles: Path, tmp_path: Path, words: tuple[object, ...], message: str):
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "others.txt").write_text("tiles/spot-1\ntiles/spot-9\n")

    result = loupe(*words)

    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
