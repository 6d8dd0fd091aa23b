"""Codes on two grids -> the picture as it is, defects included (DSR, section 3.2).

Legend: B batch, D code size, H W pixels.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from models.dsr.blocks import doubling, residual_stack
from models.dsr.config import DSRConfig


class GeneralDecoder(nn.Module):
    """Learnt on natural pictures in stage 1, then frozen."""

    def __init__(self, config: DSRConfig) -> None:
        super().__init__()
        width = config.codec_width
        self.mix = nn.Conv2d(2 * config.code_size, width, 3, padding=1)
        self.refine = residual_stack(width, config.residual_width, config.residual_blocks)
        self.to_half = doubling(width, width // 2)
        self.to_picture = doubling(width // 2, 3)

    def forward(self, codes: Tensor) -> Tensor:
        """Q_lo upscaled and Q_hi together, (B, 2D, H/4, W/4) -> I_gen (B, 3, H, W)."""
        picture: Tensor = self.to_picture(F.relu(self.to_half(self.refine(self.mix(codes)))))
        return picture
