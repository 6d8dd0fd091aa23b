"""Folders of labelled pictures: what is good, what is kept from training, which pictures show the same thing."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data import DataError
from training.groups import GroupsError, group_of, kept_from_training
from training.labelled import good_samples, is_training_folder, labelled_pictures, labelled_samples, of_groups, without_groups


def write_picture(path: Path, value: int = 128) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((24, 32, 3), value, np.uint8))


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """Forty good pictures of ten tiles, two test pictures."""
    folder = tmp_path / "Tile 1"
    for index in range(40):
        write_picture(folder / "train" / "good" / f"{index:02}.png")
    write_picture(folder / "test" / "good" / "a.png")
    write_picture(folder / "test" / "crack" / "b.png")
    write_picture(folder / "ground_truth" / "crack" / "b_mask.png", 255)
    rows = [f"train/good/{index:02}.png,tile-{index // 4}" for index in range(40)]
    (folder / "groups.csv").write_text("\n".join(["image,group", *rows]) + "\n")
    return folder


def test_test_pictures_come_with_kind_and_mask(product: Path):
    defective, good = sorted(labelled_samples(product), key=lambda sample: sample.kind)

    assert (good.kind, good.mask, good.line) == ("good", None, "Tile 1")
    assert defective.kind == "crack"
    assert defective.mask is not None
    assert defective.mask.all()


def test_products_side_by_side_are_read_together(product: Path):
    assert {sample.line for sample in labelled_samples(product.parent)} == {"Tile 1"}


def test_a_group_is_kept_from_training_as_a_whole(product: Path):
    paths = sorted((product / "train" / "good").iterdir())

    kept = {group: {kept_from_training(path) for path in paths if group_of(path) == group} for group in map(group_of, paths)}

    assert len(kept) == 10
    assert all(len(choice) == 1 for choice in kept.values())


def test_about_a_fifth_is_kept_and_always_the_same(tmp_path: Path):
    paths = [tmp_path / "weave" / "train" / "good" / f"{index}.jpg" for index in range(2000)]

    share = sum(map(kept_from_training, paths)) / len(paths)

    assert share == pytest.approx(0.2, abs=0.03)
    assert [kept_from_training(path) for path in paths[:50]] == [kept_from_training(path) for path in paths[:50]]


def test_chosen_good_pictures_keep_their_group(product: Path):
    samples = list(good_samples(product, chosen=lambda path: path.stem in ("04", "05", "39")))

    assert [sample.group for sample in samples] == ["Tile 1/tile-1", "Tile 1/tile-1", "Tile 1/tile-9"]
    assert is_training_folder(product)


def test_a_picture_without_a_group_is_its_own(tmp_path: Path):
    write_picture(tmp_path / "fresh" / "a.png")
    write_picture(tmp_path / "fresh" / "b.png")

    assert [sample.group for sample in good_samples(tmp_path / "fresh")] == ["fresh/a.png", "fresh/b.png"]
    assert not is_training_folder(tmp_path / "fresh")


def test_a_frozen_set_has_every_picture_of_its_groups_and_no_other(product: Path):
    paths = labelled_pictures(product)

    held_out = of_groups(paths, {"Tile 1/test/crack/b.png", "Another product/test/crack/c.png"})

    assert [path.name for path in held_out] == ["b.png"]
    assert [path.name for path in without_groups(paths, {"Tile 1/test/crack/b.png"})] == ["a.png"]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"Tile 1/test/crack/b.png", "Tile 1/gone"}, "none of Tile 1/gone"),
        ({"test/crack/b.png"}, "names like 'Tile 1/test/crack/b.png', got 'test/crack/b.png'"),
    ],
)
def test_a_group_without_a_picture_would_make_another_set(product: Path, groups: set[str], message: str):
    with pytest.raises(DataError, match=message):
        of_groups(labelled_pictures(product), groups)


def test_what_is_missing_is_named(product: Path, tmp_path: Path):
    (product / "ground_truth" / "crack" / "b_mask.png").unlink()
    with pytest.raises(DataError, match=r"b_mask\.png: expected the mask"):
        list(labelled_samples(product))
    with pytest.raises(DataError, match="test/good"):
        list(labelled_samples(tmp_path / "nothing"))
    (tmp_path / "other" / "groups.csv").parent.mkdir()
    (tmp_path / "other" / "groups.csv").write_text("picture,tile\na,b\n")
    with pytest.raises(GroupsError, match="columns image and group"):
        group_of(tmp_path / "other" / "train" / "good" / "a.png")
