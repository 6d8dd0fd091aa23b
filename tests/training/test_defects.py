"""A handful of real defects becomes many that look like them, and each mask stays where its defect is."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.preprocessing import Preprocessing
from training.data import DataError
from training.defects import read_defects, varied
from training.labelled import defective_pictures

DARK = 20


def defect() -> tuple[np.ndarray, np.ndarray]:
    """A dark bar on a light part."""
    picture, mask = np.full((64, 64, 3), 200, np.uint8), np.zeros((64, 64), np.uint8)
    picture[30:34, 10:50], mask[30:34, 10:50] = DARK, 1
    return picture, mask


def test_a_varied_defect_is_still_under_its_mask() -> None:
    part = np.full((64, 64, 3), 180, np.uint8)

    for seed in range(40):
        picture, mask = varied(*defect(), part, np.random.default_rng(seed), turns=True)
        assert picture[mask == 1].mean() < 80
        assert picture[cv2.dilate(mask, np.ones((9, 9), np.uint8)) == 0].mean() > 130


def test_no_two_draws_of_one_defect_are_alike() -> None:
    part = np.full((64, 64, 3), 180, np.uint8)

    pictures = {varied(*defect(), part, np.random.default_rng(seed), turns=False)[0].tobytes() for seed in range(20)}

    assert len(pictures) == 20


def test_a_fixture_that_holds_parts_alike_turns_no_defect() -> None:
    for seed in range(20):
        _, mask = varied(*defect(), defect()[0], np.random.default_rng(seed), turns=False)
        rows, columns = (np.ptp(places) for places in np.nonzero(mask))
        assert columns > 3 * rows


def write_defect(product: Path, *, painted: bool = True) -> Path:
    picture = product / "test" / "crack" / "a.png"
    mask = product / "ground_truth" / "crack" / "a_mask.png"
    for path in (picture, mask):
        path.parent.mkdir(parents=True)
    cv2.imwrite(str(picture), np.full((200, 200, 3), 90, np.uint8))
    outline = np.zeros((200, 200), np.uint8)
    outline[100, 20:180] = 255 if painted else 0
    cv2.imwrite(str(mask), outline)
    return product


def test_a_thin_scratch_survives_the_networks_resolution(tmp_path: Path) -> None:
    defects = read_defects(defective_pictures(write_defect(tmp_path)), Preprocessing(64))

    assert defects.source == {"crack": 1}
    assert defects.masks[0].any(axis=0).sum() >= 50


def test_a_mask_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"empty for .*a\.png"):
        read_defects(defective_pictures(write_defect(tmp_path, painted=False)), Preprocessing(64))


def test_a_folder_without_defects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="test/<defect>"):
        defective_pictures(tmp_path)
