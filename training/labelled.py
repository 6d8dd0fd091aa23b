"""Folders of pictures -> samples with what is known of them: kind, true mask, group.

MVTec layout: `<product>/train/good`, `<product>/test/<good or defect>`, `<product>/ground_truth/<defect>/<stem>_mask.png`, and where some
pictures show the same thing, `<product>/groups.csv` (image, group).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.preprocessing import Picture
from training.curves import Map, Mask
from training.data import SUFFIXES, DataError, find_good
from training.evaluation import GOOD, Judged
from training.groups import group_of, product_of


@dataclass(frozen=True, slots=True)
class Sample:
    """One encoded picture; `mask` (H, W) is true where it is defective, None where nobody drew that."""

    line: str
    kind: str
    image: bytes
    mask: Mask | None
    group: str
    name: str = ""
    """Which one it is, for a person: where it lies in its product's folder."""
    weight: float = 1.0
    """For how many frames of the line it stands: one that was drawn for a blind check counts 1 / probability."""

    def judged(self, picture: Picture, score: float, anomaly_map: Map, *, coarse_map: Map | None = None) -> Judged:
        """What a detector says of the picture that it made of the sample."""
        mask = np.zeros((picture.height, picture.width), bool) if self.mask is None and self.kind == GOOD else self.mask
        return Judged(self.line, self.kind, score, anomaly_map, mask, self.group, coarse_map, self.image, self.name)


def good_samples(folder: Path, *, chosen: Callable[[Path], bool] | None = None) -> Iterator[Sample]:
    """The good pictures of a folder, or the chosen ones of them."""
    for path in find_good(folder):
        if chosen is None or chosen(path):
            yield _sample(path, None)


def is_training_folder(folder: Path) -> bool:
    """Whether a detector may have learnt from the folder, and left a fifth of it out; a plain folder holds what its owner says."""
    return (folder / "train" / "good").is_dir() or any(folder.glob("*/train/good"))


def labelled_samples(folder: Path) -> Iterator[Sample]:
    """The test pictures of one product, or of several side by side, with their masks. DataError where there are none."""
    return map(sample_of, existing_labelled_pictures(folder))


def existing_labelled_pictures(folder: Path) -> list[Path]:
    """DataError where there are none."""
    paths = labelled_pictures(folder)
    if not paths:
        raise DataError(f"{folder}: expected test/good and test/<defect> with JPEG or PNG pictures, got none")
    return paths


def of_groups(paths: Sequence[Path], groups: Collection[str]) -> list[Path]:
    """The pictures of these groups and no others: a frozen set, to measure several detectors by.

    Groups of other products are passed over. DataError where one of these products has no picture: that would be another set.
    """
    products, found = {product_of(path).name for path in paths}, set(map(group_of, paths))
    missing = sorted(group for group in groups if group.split("/")[0] in products and group not in found)
    if missing:
        raise DataError(f"groups: expected test pictures of each, got none of {', '.join(missing[:5])}")
    if found.isdisjoint(groups):
        raise DataError(f"groups: expected names like {min(found)!r}, got {min(groups)!r}")
    return [path for path in paths if group_of(path) in groups]


def without_groups(paths: Sequence[Path], groups: Collection[str]) -> list[Path]:
    """All but the pictures of these groups, which may have taught. DataError where none is left."""
    left = [path for path in paths if group_of(path) not in groups]
    if not left:
        raise DataError(f"groups: expected test pictures beside those of the {len(groups)} that are left out, got none")
    return left


def sample_of(path: Path) -> Sample:
    """A test picture with its mask. DataError where a defective one has none."""
    kind = path.parent.name
    return _sample(path, None if kind == GOOD else mask_of(path))


def labelled_pictures(folder: Path) -> list[Path]:
    """The test pictures of one product, or of several side by side."""
    products = [folder] if (folder / "test").is_dir() else sorted(path.parent for path in folder.glob("*/test"))
    return [path for product in products for path in sorted((product / "test").rglob("*")) if path.suffix.lower() in SUFFIXES]


def defective_pictures(folder: Path, *, chosen: Callable[[Path], bool] | None = None) -> list[Path]:
    """The defective ones among them, or the chosen of these. DataError where there are none."""
    paths = [path for path in labelled_pictures(folder) if path.parent.name != GOOD and (chosen is None or chosen(path))]
    if not paths:
        raise DataError(f"{folder}: expected test/<defect> with ground_truth/<defect>, got none")
    return paths


def mask_of(picture: Path) -> Mask:
    """The true mask (H, W) of a defective test picture. DataError where nobody drew one."""
    path = product_of(picture) / "ground_truth" / picture.parent.name / f"{picture.stem}_mask.png"
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise DataError(f"{path}: expected the mask of a defective picture")
    return np.asarray(mask > 127)


def _sample(path: Path, mask: Mask | None) -> Sample:
    product = product_of(path)
    kind = path.parent.name if path.parent.parent.name == "test" else GOOD
    return Sample(product.name, kind, path.read_bytes(), mask, group_of(path), path.relative_to(product).as_posix())
