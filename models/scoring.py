"""Anomaly map (B, H, W) -> anomaly score (B,): mean filter, then maximum, so one hot pixel rejects no part (DSR, section 4.1)."""

import torch.nn.functional as F
from torch import Tensor

PAPER_FILTER = 21
"""At side 256; small() uses 11 at side 128."""


def anomaly_score(anomaly_map: Tensor, filter_side: int) -> Tensor:
    """(B, H, W) in 0..1 -> (B,) in 0..1. The window is cut at the border, so that a defect there is not averaged with nothing."""
    if anomaly_map.ndim != 3:
        raise ValueError(f"anomaly map: expected (B, H, W), got {tuple(anomaly_map.shape)}")
    if filter_side < 1 or filter_side % 2 == 0:
        raise ValueError(f"filter_side: expected an odd number >= 1, got {filter_side}")
    return smoothed(anomaly_map, filter_side).amax(dim=(1, 2))


def smoothed(anomaly_map: Tensor, filter_side: int) -> Tensor:
    """Mean over a filter_side x filter_side window: (B, H, W) -> (B, H, W)."""
    margin = filter_side // 2
    rows = F.avg_pool2d(anomaly_map[:, None], (filter_side, 1), stride=1, padding=(margin, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, filter_side), stride=1, padding=(0, margin), count_include_pad=False)[:, 0]
