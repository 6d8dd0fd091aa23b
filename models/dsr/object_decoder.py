"""Restricted codes on two grids -> the picture of the part as it should be (DSR, section 3.3).

Legend: B batch, D code size, H W pixels.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from models.dsr.blocks import doubling, normed_convolution, residual_stack
from models.dsr.config import DSRConfig
from models.dsr.general_decoder import GeneralDecoder


class ObjectDecoder(nn.Module):
    """The paper's form: two halvings with InstanceNorm, a narrow waist, four doublings."""

    def __init__(self, config: DSRConfig) -> None:
        super().__init__()
        joined, width = 2 * config.code_size, config.codec_width
        waist = max(1, config.code_size // 2)
        self.down = nn.Sequential(
            _down_block(joined, 2 * joined),
            nn.MaxPool2d(2),
            _down_block(2 * joined, 4 * joined),
            nn.MaxPool2d(2),
            nn.Conv2d(4 * joined, waist, 1),
        )
        self.up = nn.Sequential(doubling(waist, waist), nn.ReLU(), doubling(waist, waist), nn.ReLU())
        self.mix = nn.Conv2d(waist, width, 3, padding=1)
        self.refine = residual_stack(width, config.residual_width, config.residual_blocks)
        self.to_half = doubling(width, width // 2)
        self.to_picture = doubling(width // 2, 3)

    def forward(self, codes: Tensor) -> Tensor:
        """Q~_lo upscaled and Q~_hi together, (B, 2D, H/4, W/4) -> I_spc (B, 3, H, W)."""
        refined = self.refine(self.mix(self.up(self.down(codes))))
        picture: Tensor = self.to_picture(F.relu(self.to_half(refined)))
        return picture


def _down_block(channels_in: int, channels_out: int) -> nn.Sequential:
    """As the authors' code: the first convolution keeps the width, the second one doubles it."""
    return nn.Sequential(*normed_convolution(channels_in, channels_in), *normed_convolution(channels_in, channels_out))


def build_object_decoder(config: DSRConfig) -> nn.Module:
    return GeneralDecoder(config) if config.object_decoder == "general" else ObjectDecoder(config)
