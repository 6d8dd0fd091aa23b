"""An MVTec folder as history, and what comes out of a version again: pictures byte for byte, masks pixel for pixel, groups."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from services.contract.verdict import Answer, Verdict
from tests.builders import CAPTURED_AT
from tests.training.dataset_makers import MemoryPictures, outline, png, surface, verdict
from training.coco_export import export_coco
from training.data import DataError, find_good
from training.dataset_import import Imported, import_mvtec, read_grouping
from training.dataset_samples import Samples
from training.dataset_version import BrokenDatasetError, DatasetError, DatasetVersion
from training.datasets import Datasets
from training.labelled import labelled_samples
from training.mvtec_export import TAUGHT, UNMASKED, export_mvtec
from training.splits import Shares, Split

SHARES = Shares(0.25, 0.35)


def box(number: int) -> np.ndarray:
    return outline((5 + number, 7, 20, 9 + number))


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(pixels))


def product(folder: Path, *, good: int = 8, tested: int = 6, dents: int = 8) -> Path:
    """Frames 0.. are good, 100.. good ones of the test, 200.. dented with a mask."""
    for number in range(good):
        write(folder / "train" / "good" / f"{number:03}.png", surface(number))
    for number in range(tested):
        write(folder / "test" / "good" / f"{number:03}.png", surface(100 + number))
    for number in range(dents):
        write(folder / "test" / "dent" / f"{number:03}.png", surface(200 + number))
        write(folder / "ground_truth" / "dent" / f"{number:03}_mask.png", box(number))
    return folder


def imported(folder: Path, store: MemoryPictures, *, group: str | None = None, hours: int = 0) -> Imported:
    grouping = None if group is None else read_grouping(group)
    return import_mvtec(folder, store, line="metal", grouping=grouping, given_at=CAPTURED_AT + timedelta(hours=hours))


def built(folder: Path, store: MemoryPictures, all_of: Datasets) -> DatasetVersion:
    all_of.add_history("metal", imported(product(folder), store).verdicts)
    return all_of.build("metal", [], store, shares=SHARES)


def test_a_folder_becomes_verdicts_with_groups_that_make_a_version(store: MemoryPictures, all_of: Datasets, tmp_path: Path) -> None:
    version = built(tmp_path / "bracket", store, all_of)

    answers = Counter((row.answer, row.defect_class) for row in version.rows)
    assert answers == {("good", None): 14, ("defect", "dent"): 8}
    assert len({row.group for row in version.rows}) == 22
    assert {row.split for row in version.rows} == set(Split)
    held_out = {sample.name: sample for sample in Samples(version, store).held_out()}
    row = next(row for row in version.of(Split.HELD_OUT) if row.answer == "defect")
    number = next(n for n in range(8) if png(surface(200 + n)) == held_out[row.frame_id].image)
    assert np.array_equal(held_out[row.frame_id].mask, box(number) > 0)  # in the picture's own pixels


def test_importing_it_again_adds_nothing_and_another_label_supersedes(store: MemoryPictures, all_of: Datasets, tmp_path: Path) -> None:
    folder = product(tmp_path / "bracket")
    first = all_of.add_history("metal", imported(folder, store).verdicts)
    before = all_of.build("metal", [], store, shares=SHARES)

    again = all_of.add_history("metal", imported(folder, store, hours=1).verdicts)
    (folder / "test" / "dent" / "000.png").rename(folder / "test" / "good" / "900.png")
    changed = all_of.add_history("metal", imported(folder, store, hours=2).verdicts)

    after = all_of.build("metal", [], store, shares=SHARES)
    assert (first, again, changed) == (22, 0, 1)
    assert Counter(row.answer for row in after.rows) == {"good": 15, "defect": 7}
    assert {row.picture: row.split for row in after.rows} == {row.picture: row.split for row in before.rows}


def test_an_answer_of_today_counts_more_than_one_of_the_past(store: MemoryPictures, all_of: Datasets, tmp_path: Path) -> None:
    (dent,) = [one for one in imported(product(tmp_path / "bracket", good=1, tested=0, dents=1), store).verdicts if one.answer is Answer.DEFECT]
    all_of.add_history("metal", [dent])

    (row,) = all_of.build("metal", [verdict(store, 200, "good")], store).rows

    assert (row.answer, row.frame_id) == ("good", "metal/top/s1/200")


@pytest.mark.parametrize("group", [r"/(\d)\d\d\.png", "groups.csv"])
def test_pictures_of_one_part_are_one_group_as_a_pattern_or_a_table_says(group: str, store: MemoryPictures, tmp_path: Path) -> None:
    folder = tmp_path / "bracket"
    for number in (100, 101, 200):
        write(folder / "train" / "good" / f"{number}.png", surface(number))
    table = tmp_path / "groups.csv"
    table.write_text("image,group\ntrain/good/100.png,1\ntrain/good/101.png,1\ntrain/good/200.png,2\n")

    found = imported(folder, store, group=str(table) if group.endswith(".csv") else group)

    assert [verdict.part_id for verdict in found.verdicts] == ["1", "1", "2"]


def test_without_either_the_folders_own_table_says_it(store: MemoryPictures, tmp_path: Path) -> None:
    folder = product(tmp_path / "bracket", good=2, tested=0, dents=0)
    (folder / "groups.csv").write_text("image,group\ntrain/good/000.png,left\ntrain/good/001.png,left\n")

    assert {verdict.part_id for verdict in imported(folder, store).verdicts} == {"left"}


@pytest.mark.parametrize(
    ("group", "problem"),
    [("(", "expected a CSV file or a regular expression"), ("nothing-like-it", "found none in 'train/good/000.png'"), ("empty.csv", "columns image and group")],
)
def test_a_grouping_that_does_not_fit_is_refused(group: str, problem: str, store: MemoryPictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.csv").write_text("image,label\n")

    with pytest.raises(DataError, match=problem):
        imported(product(tmp_path / "bracket", good=1), store, group=group)


def test_equal_pictures_with_different_answers_are_refused(store: MemoryPictures, tmp_path: Path) -> None:
    folder = product(tmp_path / "bracket")
    write(folder / "test" / "dent" / "900.png", surface(0))

    with pytest.raises(DataError, match="expected the same answer as of"):
        imported(folder, store)


@pytest.mark.parametrize(("mask", "problem"), [(outline(side=50), "a mask of its own 96 x 96 pixels, got 50 x 50"), (outline((0, 0, 0, 0)), "an empty one")])
def test_a_mask_that_does_not_fit_is_refused(mask: np.ndarray, problem: str, store: MemoryPictures, tmp_path: Path) -> None:
    folder = product(tmp_path / "bracket")
    write(folder / "ground_truth" / "dent" / "003_mask.png", mask)

    with pytest.raises(DataError, match=problem):
        imported(folder, store)


def test_what_is_no_product_is_refused_and_its_products_are_named(store: MemoryPictures, tmp_path: Path) -> None:
    product(tmp_path / "all" / "bracket", good=1)

    with pytest.raises(DataError, match=r"import its products one by one \(bracket\)"):
        imported(tmp_path / "all", store)


def test_a_version_in_mvtec_layout_reads_as_it_was(store: MemoryPictures, all_of: Datasets, tmp_path: Path) -> None:
    version = built(tmp_path / "bracket", store, all_of)

    done = export_mvtec(version, store, tmp_path / "out")

    assert sum(done.pictures.values()) == len(version.rows)
    assert contents(find_good(tmp_path / "out")) == pictures(version, store, Split.TRAIN, "good")
    assert contents(find_good(tmp_path / "out" / "calibration")) == pictures(version, store, Split.CALIBRATION, "good")
    expected = {sample.image: sample for sample in Samples(version, store).held_out()}
    found = {sample.image: sample for sample in labelled_samples(tmp_path / "out")}
    assert found.keys() == expected.keys()
    for image, sample in found.items():
        assert sample.kind == expected[image].kind
        assert np.array_equal(sample.mask, expected[image].mask) if sample.kind != "good" else sample.mask is None
        assert sample.group.removeprefix("out/") == expected[image].group
    assert {sample.kind for sample in labelled_samples(tmp_path / "out" / TAUGHT)} == {"dent"}


def contents(paths: list[Path]) -> set[bytes]:
    return {path.read_bytes() for path in paths}


def pictures(version: DatasetVersion, store: MemoryPictures, split: Split, answer: str) -> set[bytes]:
    return {store.get(row.path) for row in version.of(split) if row.answer == answer}


def test_what_was_exported_is_imported_with_the_same_answers_and_groups(store: MemoryPictures, all_of: Datasets, tmp_path: Path) -> None:
    version = built(tmp_path / "bracket", store, all_of)
    export_mvtec(version, store, tmp_path / "out")

    back = {one.frame_path: one for one in imported(tmp_path / "out", store).verdicts}

    expected = {row.path: row for row in version.rows if row.split is Split.HELD_OUT or (row.split is Split.TRAIN and row.answer == "good")}
    assert back.keys() == expected.keys()
    assert {path: (one.defect_class, one.mask_path, one.part_id) for path, one in back.items()} == {
        path: (row.defect_class, row.mask_path, row.group) for path, row in expected.items()
    }


def a_few(store: MemoryPictures, all_of: Datasets, shares: Shares, *said: Verdict) -> DatasetVersion:
    return all_of.build("metal", said, store, shares=shares)


def test_a_defect_is_never_exported_as_good_whatever_its_class_is_called(store: MemoryPictures, all_of: Datasets, tmp_path: Path) -> None:
    version = a_few(store, all_of, Shares(0, 0.999), verdict(store, 1, "defect", defect_class="good"), verdict(store, 2, "defect", mask=png(outline())))

    done = export_mvtec(version, store, tmp_path / "out")

    assert done.pictures == {"test/defect": 1, f"{UNMASKED}/test/defect-good": 1}
    assert {sample.kind for sample in Samples(version, store).held_out()} == {"defect", "defect-good"}


def test_where_nothing_teaches_a_training_does_not_take_what_calibrates(store: MemoryPictures, all_of: Datasets, tmp_path: Path) -> None:
    version = a_few(store, all_of, Shares(0.999, 0), verdict(store, 1), verdict(store, 2))

    export_mvtec(version, store, tmp_path / "out")

    with pytest.raises(DataError, match="expected JPEG or PNG pictures"):
        find_good(tmp_path / "out")


def test_coco_holds_every_area_to_the_pixel_in_the_pictures_own_size(store: MemoryPictures, all_of: Datasets, tmp_path: Path) -> None:
    ring = outline((0, 0, 40, 30)) - outline((10, 10, 5, 5))  # a hole, and the first pixel of all
    mask = ring | outline((60, 50, 7, 8))
    version = a_few(store, all_of, Shares(0, 0.999), verdict(store, 1), verdict(store, 2, "defect", defect_class="dent", mask=png(mask), probability=0.5))

    done = export_coco(version, store, tmp_path / "out")

    found = json.loads((tmp_path / "out" / "annotations" / "instances_held-out.json").read_text())
    assert done.pictures == {"train": 0, "calibration": 0, "held-out": 2, "golden": 0}
    assert [(one["name"], one["id"]) for one in found["categories"]] == [("dent", 1)]
    image = next(one for one in found["images"] if one["answer"] == "defect")
    assert (image["width"], image["height"], image["weight"], image["group"]) == (96, 96, 2.0, "metal/part/part-2")
    assert (tmp_path / "out" / "images" / image["file_name"]).read_bytes() == png(surface(2))
    areas = [decoded(one["segmentation"]) for one in found["annotations"] if one["image_id"] == image["id"]]
    assert np.array_equal(areas[0] | areas[1], mask > 0)
    assert not (areas[0] & areas[1]).any()
    assert [(one["id"], one["bbox"], one["area"]) for one in found["annotations"]] == [(1, [0, 0, 40, 30], 1175), (2, [60, 50, 7, 8], 56)]


def decoded(segmentation: dict[str, list[int]]) -> np.ndarray:
    """As pycocotools reads it: runs down the columns, zeros first."""
    height, width = segmentation["size"]
    values = np.arange(len(segmentation["counts"])) % 2 == 1
    return np.repeat(values, segmentation["counts"]).reshape((width, height)).T


@pytest.mark.parametrize("export", [export_mvtec, export_coco])
def test_an_export_is_whole_or_not_there(export: object, store: MemoryPictures, all_of: Datasets, tmp_path: Path) -> None:
    assert callable(export)
    version = built(tmp_path / "bracket", store, all_of)
    del store.contents[version.rows[-1].path]

    with pytest.raises(BrokenDatasetError, match=f"frame {version.rows[-1].frame_id}: expected its bytes at"):
        export(version, store, tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "out"))] == []


@pytest.mark.parametrize("export", [export_mvtec, export_coco])
def test_nothing_is_exported_over_what_is_there(export: object, store: MemoryPictures, all_of: Datasets, tmp_path: Path) -> None:
    assert callable(export)
    version = built(tmp_path / "bracket", store, all_of)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")

    with pytest.raises(DatasetError, match="expected nothing there yet"):
        export(version, store, tmp_path / "out")
