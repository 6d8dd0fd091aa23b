"""Focal loss: pixels that are already right hardly count, so that the many normal ones do not drown the few defects (Lin et al. 2017)."""

import torch.nn.functional as F
from torch import Tensor

GAMMA = 2.0


def focal_loss(logits: Tensor, target: Tensor, *, gamma: float = GAMMA) -> Tensor:
    """Logits (B, 2, H, W) and target (B, H, W) of 0 (normal) or 1 -> a mean over all pixels.

    No class weights: a weight that spares the normal class makes "everything is a defect" the best answer. Logits, not
    probabilities: a softmax taken twice never passes 0.731.
    """
    if logits.ndim != 4 or logits.shape[1] != 2 or target.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(f"focal loss: expected logits (B, 2, H, W) and target (B, H, W), got {tuple(logits.shape)} and {tuple(target.shape)}")
    log_probabilities = logits.float().log_softmax(dim=1)
    log_right = log_probabilities.gather(1, target.long()[:, None])[:, 0]  # (B, H, W)
    return -((1 - log_right.exp()) ** gamma * log_right).mean()


def feature_loss(restricted: Tensor, codes: Tensor) -> Tensor:
    """F~ against the codes Q of the part before it was altered, both (B, D, h, w)."""
    return F.mse_loss(restricted.float(), codes)
