"""Any codes -> the codes of a normal part that come closest (DSR, section 3.3 and figure 4).

Legend: B batch, D code size, h w latent grid.
"""

from itertools import pairwise

from torch import Tensor, nn

from models.dsr.blocks import double_convolution, upscaled_convolution


class SubspaceRestriction(nn.Module):
    """Encoder-decoder WITHOUT skip connections: what does not fit through its waist cannot be repeated, and that restricts."""

    def __init__(self, code_size: int, width: int, poolings: int) -> None:
        super().__init__()
        widths = [width << level for level in range(poolings + 1)]
        down: list[nn.Module] = [double_convolution(code_size, width)]
        for narrow, wide in pairwise(widths):
            down += [nn.MaxPool2d(2), double_convolution(narrow, wide)]
        up: list[nn.Module] = []
        for wide, narrow in pairwise(reversed(widths)):
            up += [upscaled_convolution(wide, narrow), double_convolution(narrow, narrow)]
        self.down = nn.Sequential(*down)
        self.up = nn.Sequential(*up)
        self.to_codes = nn.Conv2d(width, code_size, 3, padding=1)

    def forward(self, codes: Tensor) -> Tensor:
        """Q (B, D, h, w) -> F~ (B, D, h, w), to be quantized by the same codebook."""
        features: Tensor = self.to_codes(self.up(self.down(codes)))
        return features
