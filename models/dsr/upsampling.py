"""A mask as coarse as the codes -> a mask as fine as the picture (DSR, section 3.5).

The paper's text says that this module sees the picture and the mask; its code feeds both reconstructions and the softmax
of the detection module. This follows the code.

Legend: B batch, H W pixels.
"""

import torch
from torch import Tensor, nn

from models.dsr.unet import UNet


class Upsampling(nn.Module):
    """Learnt last, on smudges whose exact outline is known."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.unet = UNet(8, width)

    def forward(self, specific: Tensor, general: Tensor, probabilities: Tensor) -> Tensor:
        """I_spc, I_gen (B, 3, H, W) and the coarse softmax (B, 2, H, W) -> logits (B, 2, H, W)."""
        logits: Tensor = self.unet(torch.cat([specific, general, probabilities], dim=1))
        return logits
