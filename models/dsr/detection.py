"""Both pictures of a part -> where they differ in a way that matters (DSR, section 3.4).

Legend: B batch, H W pixels.
"""

import torch
from torch import Tensor, nn

from models.dsr.unet import UNet


class AnomalyDetection(nn.Module):
    """Compares the part as it should be with the part as it is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.unet = UNet(6, width)

    def forward(self, specific: Tensor, general: Tensor) -> Tensor:
        """I_spc and I_gen (B, 3, H, W) -> logits (B, 2, H, W); softmax is taken once, by the loss or by the caller."""
        logits: Tensor = self.unet(torch.cat([specific, general], dim=1))
        return logits
