"""Focal loss: both ways of being wrong cost, and the logits go in once."""

import math

import pytest
import torch

from training.losses import focal_loss


def uniform(anomalous: float) -> torch.Tensor:
    """Logits (1, 2, 4, 4) that say `anomalous` everywhere."""
    return torch.stack([torch.full((4, 4), -anomalous), torch.full((4, 4), anomalous)])[None]


def test_calling_everything_a_defect_costs_as_much_as_missing_it() -> None:
    normal, defect = torch.zeros(1, 4, 4), torch.ones(1, 4, 4)

    assert focal_loss(uniform(5.0), normal) > 5
    torch.testing.assert_close(focal_loss(uniform(5.0), normal), focal_loss(uniform(-5.0), defect))


def test_background_logits_get_a_gradient() -> None:
    logits = torch.zeros(1, 2, 4, 4, requires_grad=True)

    focal_loss(logits, torch.zeros(1, 4, 4)).backward()

    assert logits.grad is not None
    assert (logits.grad.abs() > 1e-4).all()


def test_a_value_by_hand() -> None:
    # softmax of (0, 0) is 1/2: (1 - 1/2)^2 * ln 2
    assert focal_loss(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4)).item() == pytest.approx(0.25 * math.log(2))


def test_being_sure_and_right_costs_nothing() -> None:
    """With a second softmax inside, the probability could not pass 0.731 and this would be 0.02."""
    assert focal_loss(uniform(10.0), torch.ones(1, 4, 4)).item() < 1e-6


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match=r"target \(B, H, W\)"):
        focal_loss(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4))
