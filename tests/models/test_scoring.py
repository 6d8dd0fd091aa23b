"""A map's score: the hottest window, not the hottest pixel."""

import pytest
import torch

from models.scoring import anomaly_score


def test_one_hot_pixel_counts_for_its_share_of_the_window() -> None:
    anomaly_map = torch.zeros(1, 32, 32)
    anomaly_map[0, 16, 16] = 1.0

    assert anomaly_score(anomaly_map, 5).item() == pytest.approx(1 / 25)


def test_a_defect_at_the_border_is_not_averaged_with_nothing() -> None:
    anomaly_map = torch.zeros(1, 32, 32)
    anomaly_map[0, :5, :5] = 1.0

    assert anomaly_score(anomaly_map, 5).item() == pytest.approx(1.0)


def test_a_batch_of_one_keeps_its_axis() -> None:
    assert anomaly_score(torch.zeros(1, 8, 8), 3).shape == (1,)


def test_an_even_filter_is_refused() -> None:
    with pytest.raises(ValueError, match="odd number"):
        anomaly_score(torch.zeros(1, 8, 8), 4)
