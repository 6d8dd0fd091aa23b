"""Which pictures are learnt from: good ones, enough of them, prepared as they will be served."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.preprocessing import Preprocessing
from training.data import DataError, draw_crop, find_good, read_crops, read_parts
from training.groups import group_of


def write_pictures(folder: Path, number: int, side: int = 80) -> None:
    folder.mkdir(parents=True)
    for index in range(number):
        pixels = np.random.default_rng(index).integers(0, 255, (side, side, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index:03d}.png"), pixels)


def test_defects_of_a_test_split_are_not_read(tmp_path: Path) -> None:
    write_pictures(tmp_path / "tile" / "train" / "good", 3)
    write_pictures(tmp_path / "tile" / "test" / "crack", 2)

    assert {path.parent.name for path in find_good(tmp_path / "tile")} == {"good"}
    assert len(find_good(tmp_path)) == 3


def test_a_folder_with_defects_but_no_good_split_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "test" / "crack", 2)

    with pytest.raises(DataError, match="no train/good"):
        find_good(tmp_path)


def test_several_products_are_counted_by_name(tmp_path: Path) -> None:
    for product in ("cup", "lid"):
        write_pictures(tmp_path / product / "train" / "good", 12)

    parts = read_parts([tmp_path], Preprocessing(64))

    assert parts.source == {"cup": 12, "lid": 12}
    assert len(parts.learn) + len(parts.held_out) == 24
    assert len(parts.held_out) >= 1


def test_too_few_good_parts_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "good", 5)

    with pytest.raises(DataError, match="at least 16 pictures, got 5"):
        read_parts([tmp_path / "good"], Preprocessing(64))


def test_parts_are_what_serving_sees(tmp_path: Path) -> None:
    write_pictures(tmp_path / "good", 16, side=150)
    preprocessing = Preprocessing(64)

    parts = read_parts([tmp_path / "good"], preprocessing)

    served = preprocessing.decode(parts.paths[0].read_bytes()).pixels
    assert np.array_equal(parts.learn[0], served)


def test_crops_have_the_asked_side_whatever_the_picture(tmp_path: Path) -> None:
    write_pictures(tmp_path / "scenes", 16, side=70)
    crops = read_crops([tmp_path / "scenes"], Preprocessing(64), crop=64)

    for seed in range(40):
        crop = draw_crop(crops.learn[0], 64, np.random.default_rng(seed), strokes=0.5)
        assert crop.shape == (64, 64, 3)
        assert crop.dtype == np.uint8


def test_a_tenth_of_every_folder_is_kept_from_the_codec(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photographs", 20, side=70)
    write_pictures(tmp_path / "textures", 10, side=70)

    crops = read_crops([tmp_path / "photographs", tmp_path / "textures"], Preprocessing(64), crop=64)

    assert {folder: len(pictures) for folder, pictures in crops.held_out.items()} == {"photographs": 2, "textures": 1}
    assert len(crops.learn) == 27
    assert not any(np.array_equal(kept, learnt) for kept in crops.held_out["photographs"] for learnt in crops.learn)


def test_no_group_both_teaches_and_checks(tmp_path: Path) -> None:
    folder = tmp_path / "tile"
    write_pictures(folder / "train" / "good", 60)
    rows = [f"train/good/{index:03d}.png,tile-{index // 6}" for index in range(60)]
    (folder / "groups.csv").write_text("\n".join(["image,group", *rows]))

    parts = read_parts([folder], Preprocessing(64))

    learnt = {group_of(path) for path in parts.paths}
    assert 0 < len(learnt) < 10
    assert len(parts.paths) == 6 * len(learnt)


def test_a_product_with_others_inside_it_is_that_product_alone(tmp_path: Path) -> None:
    """A dataset's export holds what calibrates beside what teaches."""
    write_pictures(tmp_path / "metal" / "train" / "good", 2)
    write_pictures(tmp_path / "metal" / "calibration" / "train" / "good", 3)

    assert [path.relative_to(tmp_path).parts[:2] for path in find_good(tmp_path / "metal")] == [("metal", "train")] * 2
