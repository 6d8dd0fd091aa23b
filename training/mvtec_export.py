"""A dataset version -> folders in MVTec layout, for the verbs that read such folders and for other people's tools.

`train/good` teaches and `test/` is held out; beside them, each a product of its own: `taught/` (defects of the train split), `calibration/`,
`golden/` (golden frames that are not held out anyway) and `unmasked/` (held-out defects of which nobody drew where). `groups.csv` in each says
which pictures show the same thing.
"""

import csv
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from training.dataset_samples import kind_of
from training.dataset_version import DatasetError, DatasetVersion, PictureStore, Row, read_mask_png, read_picture
from training.durable import whole_folder
from training.splits import Split

TAUGHT, CALIBRATION, GOLDEN, UNMASKED = "taught", "calibration", "golden", "unmasked"


@dataclass(frozen=True, slots=True)
class Exported:
    folder: Path
    pictures: dict[str, int]
    """By the folder that they are in."""


def export_mvtec(version: DatasetVersion, store: PictureStore, out: Path) -> Exported:
    """Whoever looks sees all of it or nothing. Raises DatasetError where there is something already, BrokenDatasetError."""
    counted: Counter[str] = Counter()
    groups: dict[Path, list[tuple[str, str]]] = {}
    with new_folder(out) as folder:
        (folder / "train" / "good").mkdir(parents=True)  # without it, whoever trains from the folder would take those that calibrate
        for row in version.rows:
            product, kind = folder / _product(row), kind_of(row)
            name = f"{_place(row)}/{row.picture[:16]}{suffix_of(image := read_picture(store, row))}"
            _write(product / name, image)
            mask = read_mask_png(store, row)
            if mask is not None:
                _write(product / "ground_truth" / kind / f"{row.picture[:16]}_mask.png", mask)
            groups.setdefault(product, []).append((name, row.group))
            counted[(product / name).parent.relative_to(folder).as_posix()] += 1
        for product, rows in groups.items():
            _write_groups(product / "groups.csv", rows)
    return Exported(out, dict(sorted(counted.items())))


def new_folder(out: Path) -> AbstractContextManager[Path]:
    """A folder that becomes `out` when all is in it."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out}: expected nothing there yet, or an empty folder; name another")
    return whole_folder(out, prefix=f".{out.name}-")


def suffix_of(image: bytes) -> str:
    return ".png" if image.startswith(b"\x89PNG") else ".jpg"


def _product(row: Row) -> str:
    """The folder of the product that it is put with."""
    if row.used_in is None:
        return GOLDEN
    if row.split is Split.CALIBRATION:
        return CALIBRATION
    if row.answer != "defect":
        return "."
    if row.split is Split.TRAIN:
        return TAUGHT
    return "." if row.mask_path is not None else UNMASKED


def _place(row: Row) -> str:
    """The picture's folder in its product's."""
    good = row.answer != "defect"
    return "train/good" if good and row.used_in in (Split.TRAIN, Split.CALIBRATION) else f"test/{kind_of(row)}"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_groups(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "group"))
        writer.writerows(rows)
