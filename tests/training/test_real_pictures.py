"""Real pictures with real masks, where LOUPE_TEST_PICTURES names a folder of them in MVTec layout; they are not ours to copy."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from models.preprocessing import read_header
from training.curves import PixelCurve
from training.groups import group_of
from training.labelled import labelled_pictures, labelled_samples, sample_of

PRODUCTS = ("fabric03", "magnetic_tile", "screw")


@pytest.fixture(params=PRODUCTS)
def product(request: pytest.FixtureRequest) -> Path:
    folder = Path(os.environ.get("LOUPE_TEST_PICTURES", "")) / str(request.param)
    if "LOUPE_TEST_PICTURES" not in os.environ or not folder.is_dir():
        pytest.skip(f"no {request.param}: set LOUPE_TEST_PICTURES to a folder that holds it")
    return folder


def test_masks_have_the_size_of_their_pictures(product: Path):
    for sample in labelled_samples(product):
        header = read_header(sample.image)
        assert sample.mask is None or sample.mask.shape == (header.height, header.width), sample.name


def test_no_group_of_the_good_pictures_to_learn_from_is_measured(product: Path):
    learnt = {group_of(path) for path in (product / "train" / "good").iterdir()}

    assert learnt.isdisjoint({group_of(path) for path in labelled_pictures(product)})


def test_every_component_of_a_real_mask_weighs_one(product: Path):
    curve, components = PixelCurve(), 0
    for path in [path for path in labelled_pictures(product) if path.parent.name != "good"][::10]:
        mask = sample_of(path).mask
        curve.add(np.full((8, 8), 0.5, np.float32), mask)
        components += ndimage.label(mask, np.ones((3, 3)))[1]

    assert curve.overlap.sum() == pytest.approx(components)
    assert curve.aupro() == pytest.approx(0.15)  # a map that says nothing
