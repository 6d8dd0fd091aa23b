"""The U-Net that both heads are made of: base width, four levels, skips, InstanceNorm.

Legend: B batch, C channels, H W pixels (multiples of 8).
"""

import torch
from torch import Tensor, nn

from models.dsr.blocks import double_convolution, upscaled_convolution


class UNet(nn.Module):
    """(B, C, H, W) -> two logits a pixel (B, 2, H, W): normal, anomalous."""

    def __init__(self, channels_in: int, width: int) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 4 * width)
        self.down = nn.ModuleList(double_convolution(a, b) for a, b in zip((channels_in, *widths), widths, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.lift = nn.ModuleList(upscaled_convolution(a, b) for a, b in zip(widths[::-1], (4 * width, 2 * width, width), strict=False))
        self.merge = nn.ModuleList(double_convolution(2 * width_here, width_here) for width_here in (4 * width, 2 * width, width))
        self.to_logits = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.down[0](pictures)
        skips = []
        for block in self.down[1:]:
            skips.append(features)
            features = block(self.pool(features))
        for lift, merge, skip in zip(self.lift, self.merge, reversed(skips), strict=True):
            features = merge(torch.cat([lift(features), skip], dim=1))
        logits: Tensor = self.to_logits(features)
        return logits
