"""What is to be judged -> labelled samples, and of each line some good pictures that a plain baseline may look at."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.models import jpeg
from services.ingest.synthetic import KINDS
from services.ingest.synthetic.line import SyntheticLine
from services.ingest.synthetic.parts import GoodParts
from training.data import DataError, find_good
from training.groups import product_of, read_groups
from training.labelled import Sample, existing_labelled_pictures, of_groups, sample_of, without_groups

MEDIAN_FRAMES = 40
"""Good frames behind the baseline's median; not among those that are judged."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Labelled frames, line after line, and by line the good ones."""

    samples: Iterable[Sample]
    good: Mapping[str, Iterable[bytes]]
    origin: dict[str, Any]
    """What the report says of them."""


def synthetic_trial(count: int, seed: int) -> Trial:
    good = {kind: _good_images(kind, seed) for kind in KINDS}
    return Trial(_synthetic_samples(max(1, count // (2 * len(KINDS))), seed), good, {"seed": seed, "synthetic": count})


def labelled_trial(folder: Path, *, groups: Path | None = None, except_groups: Path | None = None) -> Trial:
    """Test pictures of a folder: all, those of the groups that a file lists, or all but those. DataError, GroupsError.

    `pictures_sha256` is of their names: two reports with the same one measured the same pictures.
    """
    folder = folder.resolve()
    paths = existing_labelled_pictures(folder)
    origin: dict[str, Any] = {"data": folder.name}
    if groups is not None:
        paths, origin = of_groups(paths, read_groups(groups)), {**origin, "groups": groups.name}
    if except_groups is not None:
        paths, origin = without_groups(paths, read_groups(except_groups)), {**origin, "except_groups": except_groups.name}
    names = "\n".join(f"{product_of(path).name}/{path.relative_to(product_of(path)).as_posix()}" for path in paths)
    products = {product_of(path) for path in paths}
    good = {product.name: _spread_good(product) for product in products}
    return Trial(map(sample_of, paths), good, {**origin, "pictures_sha256": hashlib.sha256(names.encode()).hexdigest()})


def _synthetic_samples(pairs: int, seed: int) -> Iterator[Sample]:
    """Good and defective by turns; kinds of defect as the line draws them."""
    for kind in KINDS:
        line = SyntheticLine(kind, seed)
        for index in range(pairs):
            for part in (line.good(2 * index), line.defective(2 * index + 1)):
                name = f"{part.kind}-{index}"
                yield Sample(kind, part.kind, jpeg(part.image), part.mask > 127, name, name)


def _good_images(kind: str, seed: int) -> Iterator[bytes]:
    parts = GoodParts(kind, seed + 1)
    for index in range(MEDIAN_FRAMES):
        yield jpeg(parts.good(index).image)


def _spread_good(product: Path) -> Iterator[bytes]:
    """Good pictures drawn evenly from the training set; none where the folder has none."""
    try:
        paths = find_good(product)
    except DataError:
        return
    yield from (path.read_bytes() for path in paths[:: max(1, len(paths) // MEDIAN_FRAMES)])
