"""What a training is measured by while it runs: the same pictures each time, half of them defective."""

import numpy as np
import torch

from models.dsr import DSR
from tests.networks import TINY
from training.validation import LARGEST, contact_sheet, measured, validation_of


def parts(number: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (number, 64, 64, 3), dtype=np.uint8)


def test_half_of_the_pictures_are_defective_and_the_set_is_always_the_same() -> None:
    first, again = (validation_of(parts(5), seed=3) for _ in range(2))

    assert [bool(mask.any()) for mask in first.masks] == [False, True] * 5
    assert torch.equal(first.pictures, again.pictures)
    assert torch.equal(first.good, first.pictures[::2])


def test_many_parts_do_not_make_a_slow_check() -> None:
    assert len(validation_of(parts(LARGEST), seed=0).pictures) == LARGEST


def test_a_network_is_measured_by_its_map_and_its_score() -> None:
    torch.manual_seed(0)
    validation = validation_of(parts(3), seed=0)

    coarse, full = (measured(DSR(TINY).eval(), validation, full=full, filter_side=5) for full in (False, True))

    for found in (coarse, full):
        assert list(found) == ["pixel_ap", "image_auroc"]
        assert all(0 <= value <= 1 for value in found.values())


def test_a_sample_shows_part_reconstructions_map_and_mask_side_by_side() -> None:
    sheet = contact_sheet(DSR(TINY).eval(), validation_of(parts(6), seed=0), full=True)

    assert sheet.shape == (3, 4 * 64, 5 * 64)
