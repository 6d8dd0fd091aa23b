"""Picture -> features on two grids, still before quantization (DSR, section 3.1 and figure 3).

Legend: B batch, H W pixels, D code size, hi the finer grid (H/4, W/4), lo the coarser one (H/8, W/8).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.dsr.blocks import halving, residual_stack
from models.dsr.config import DSRConfig


class Encoder(nn.Module):
    """Two residual stacks; the finer features are only finished once the coarser codes are known."""

    def __init__(self, config: DSRConfig) -> None:
        super().__init__()
        width = config.codec_width
        stack = (width, config.residual_width, config.residual_blocks)
        self.to_half = halving(3, width // 2)
        self.to_quarter = halving(width // 2, width)
        self.refine_hi = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), residual_stack(*stack))
        self.to_eighth = halving(width, width)
        self.refine_lo = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), residual_stack(*stack))
        self.to_lo = nn.Conv2d(width, config.code_size, 1)
        self.to_hi = nn.Conv2d(width + config.code_size, config.code_size, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> what `to_code_space_hi` still needs (B, width, H/4, W/4), and F_lo (B, D, H/8, W/8)."""
        fine = self.refine_hi(F.relu(self.to_quarter(F.relu(self.to_half(pictures)))))
        coarse = self.refine_lo(F.relu(self.to_eighth(fine)))
        return fine, self.to_lo(coarse)

    def to_code_space_hi(self, fine: Tensor, upscaled_q_lo: Tensor) -> Tensor:
        """F_hi (B, D, H/4, W/4): the fine features, told which coarse codes were chosen."""
        f_hi: Tensor = self.to_hi(torch.cat([fine, upscaled_q_lo], dim=1))
        return f_hi
