"""Defects that nobody drew: never empty, never too near, never outside their mask."""

import numpy as np
import pytest
import torch

from models.dsr import Codec
from models.dsr.quantizer import Quantizer
from tests.networks import TINY
from training.randomness import Randomness
from training.recipes import Similarity
from training.synthesis import NEAREST_RANK, SMALLEST_MASK, STRENGTHS, altered_codes, perlin_mask, pooled, random_mask, random_masks, replaced, smudged


@pytest.mark.parametrize("side", [64, 128])
@pytest.mark.parametrize("strokes", [0.0, 0.5, 1.0])
def test_no_training_mask_is_empty(side: int, strokes: float) -> None:
    for seed in range(60):
        mask = random_mask(side, np.random.default_rng(seed), strokes=strokes)
        assert mask.shape == (side, side)
        assert mask.sum() >= SMALLEST_MASK


def test_perlin_masks_cover_some_but_not_all() -> None:
    shares = [perlin_mask(64, np.random.default_rng(seed)).mean() for seed in range(60)]

    assert 0.01 < np.mean(shares) < 0.5


def test_half_of_a_batch_stays_normal() -> None:
    masks = random_masks(8, 64, np.random.default_rng(0), strokes=0.5)

    assert (masks.sum(dim=(1, 2)) > 0).tolist() == [True] * 4 + [False] * 4


def test_a_scratch_of_one_pixel_survives_the_coarse_grid() -> None:
    mask = torch.zeros(1, 64, 64)
    mask[0, 5:60, 31] = 1

    assert pooled(mask, 8)[0, 1:7, 3].tolist() == [1.0] * 6


def test_replaced_codes_are_neither_the_nearest_nor_outside_the_mask() -> None:
    torch.manual_seed(0)
    quantizer, features = Quantizer(codes=100, code_size=4), torch.randn(3, 4, 8, 8)
    indices, mask = quantizer.nearest(features), torch.zeros(3, 8, 8)
    mask[:, 2:5, 2:5] = 1

    others = replaced(quantizer, features, indices, mask, Randomness.of(0, "test", 0), least=0.2)

    rank = quantizer.distances(features).argsort(dim=-1).argsort(dim=-1).gather(-1, others[..., None])[..., 0]
    assert torch.equal(others[mask == 0], indices[mask == 0])
    assert (rank[mask == 1] >= NEAREST_RANK * 100).all()


@pytest.mark.parametrize(("similarity", "least"), [("paper", 0.05), ("authors", 0.2)])
def test_a_defect_may_be_as_near_as_the_paper_or_its_code_has_it(similarity: Similarity, least: float) -> None:
    """The farthest rank is drawn anew for each picture: near-in-distribution defects are those whose bound is low."""
    torch.manual_seed(0)
    quantizer, features = Quantizer(codes=400, code_size=4), torch.randn(200, 4, 4, 4)
    indices = quantizer.nearest(features)

    others = replaced(quantizer, features, indices, torch.ones(200, 4, 4), Randomness.of(0, "test", 0), least=STRENGTHS[similarity])

    rank = quantizer.distances(features).argsort(dim=-1).argsort(dim=-1).gather(-1, others[..., None])[..., 0]
    farthest = rank.flatten(1).amax(dim=1) / 400
    assert least * 0.8 < farthest.min() < least + 0.06


def test_the_target_is_where_codes_were_altered() -> None:
    torch.manual_seed(0)
    codec, pictures = Codec(TINY).eval(), torch.rand(4, 3, 64, 64)
    masks = random_masks(4, 64, np.random.default_rng(1), strokes=0.5)

    altered, q_lo, q_hi = altered_codes(codec, pictures, masks, Randomness.of(0, "test", 0), similarity="authors")

    assert altered.target.shape == (4, 64, 64)
    assert torch.equal(altered.q_lo[2:], q_lo[2:])
    assert torch.equal(altered.q_hi[2:], q_hi[2:])
    assert (altered.target[2:] == 0).all()
    assert (altered.target[:2] >= masks[:2]).all()  # as coarse as the codes, so never smaller than the drawn mask


def test_a_smudge_changes_nothing_beyond_its_mask() -> None:
    dice = np.random.default_rng(3)
    part, other = dice.integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)

    picture, mask = smudged(part, other, dice)

    assert np.array_equal(picture[mask == 0], part[mask == 0])
    assert not np.array_equal(picture[mask == 1], part[mask == 1])
