"""A dataset version -> COCO: `images/` and one `annotations/instances_<split>.json` a split, and one of golden frames that are not held out anyway.

Each connected area of a mask is an annotation whose segmentation is an uncompressed run-length code: exact to the pixel, holes included, which
polygons are not. Runs go down the columns and begin with zeros, as pycocotools reads them. What COCO has no word for (group, weight, answer,
verdict) stands beside each image under names of its own.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.preprocessing import read_header
from training.curves import Mask
from training.dataset_samples import kind_of
from training.dataset_version import DatasetVersion, PictureStore, Row, read_mask, read_picture
from training.mvtec_export import GOLDEN, Exported, new_folder, suffix_of
from training.splits import Split

IMAGES, ANNOTATIONS = "images", "annotations"


@dataclass(slots=True)
class _Split:
    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)


def export_coco(version: DatasetVersion, store: PictureStore, out: Path) -> Exported:
    """Whoever looks sees all of it or nothing. Raises DatasetError where there is something already, BrokenDatasetError."""
    kinds = sorted({kind_of(row) for row in version.rows if row.answer == "defect"})
    category_of = {kind: number for number, kind in enumerate(kinds, start=1)}
    splits = {name: _Split() for name in (*Split, GOLDEN)}
    with new_folder(out) as folder:
        for name in (IMAGES, ANNOTATIONS):
            (folder / name).mkdir()
        for number, row in enumerate(version.rows, start=1):
            image, mask = read_picture(store, row), read_mask(store, row)
            entry, found = _image(row, number, image), splits[row.used_in or GOLDEN]
            (folder / IMAGES / entry["file_name"]).write_bytes(image)
            found.images.append(entry)
            if mask is not None:
                found.annotations += _annotations(mask, number, category_of[kind_of(row)])
        for split, found in splits.items():
            _write(folder / ANNOTATIONS / f"instances_{split}.json", version, found, category_of)
    return Exported(out, {str(split): len(found.images) for split, found in splits.items()})


def run_lengths(mask: Mask) -> list[int]:
    """(H, W) -> lengths of runs down the columns, zeros first."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]]))
    return [0, *runs.tolist()] if flat[0] else runs.tolist()


def _image(row: Row, number: int, image: bytes) -> dict[str, Any]:
    header = read_header(image)
    named = {"frame_id": row.frame_id, "group": row.group, "answer": row.answer, "defect_class": row.defect_class, "weight": row.weight}
    return {
        "id": number,
        "file_name": f"{row.picture}{suffix_of(image)}",
        "width": header.width,
        "height": header.height,
        "date_captured": row.captured_at,
        **{name: value for name, value in named.items() if value is not None},
    }


def _annotations(mask: Mask, image: int, category: int) -> Iterator[dict[str, Any]]:
    """One a connected area; ids follow when all are known."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    for label, (left, top, width, height, area) in enumerate(statistics.tolist()[1:], start=1):
        yield {
            "image_id": image,
            "category_id": category,
            "bbox": [left, top, width, height],
            "area": area,
            "iscrowd": 0,
            "segmentation": {"size": list(mask.shape), "counts": run_lengths(labels == label)},
        }


def _write(path: Path, version: DatasetVersion, found: _Split, category_of: Mapping[str, int]) -> None:
    annotations = [{"id": number, **one} for number, one in enumerate(found.annotations, start=1)]
    categories = [{"id": number, "name": kind, "supercategory": "defect"} for kind, number in category_of.items()]
    told = {"description": f"{version.name}, dataset version {version.id}", "date_created": version.card.get("created_at")}
    path.write_text(json.dumps({"info": told, "images": found.images, "annotations": annotations, "categories": categories}))
