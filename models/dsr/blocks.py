"""Building blocks that several modules of the paper share.

Legend: B batch, C channels, H W rows and columns of whatever grid comes in.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """ReLU, 3x3, ReLU, 1x1, plus the input after its ReLU.

    The authors' in-place ReLU makes the skip carry relu(x), not x: kept, so that their weights mean the same here.
    """

    def __init__(self, width: int, residual_width: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, residual_width, 3, padding=1, bias=False)
        self.pointwise = nn.Conv2d(residual_width, width, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        activated = F.relu(features)
        return activated + self.pointwise(F.relu(self.spatial(activated)))


def residual_stack(width: int, residual_width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width, residual_width) for _ in range(blocks)), nn.ReLU())


def double_convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    """Twice (3x3, InstanceNorm, ReLU): (B, channels_in, H, W) -> (B, channels_out, H, W)."""
    return nn.Sequential(*normed_convolution(channels_in, channels_out), *normed_convolution(channels_out, channels_out))


def normed_convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.InstanceNorm2d(channels_out), nn.ReLU())


def upscaled_convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    """Bilinear to twice the grid, then a normed convolution: (B, channels_in, H, W) -> (B, channels_out, 2H, 2W)."""
    doubled = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    return nn.Sequential(doubled, *normed_convolution(channels_in, channels_out))


def doubling(channels_in: int, channels_out: int) -> nn.ConvTranspose2d:
    """Learnt upsampling: (B, channels_in, H, W) -> (B, channels_out, 2H, 2W)."""
    return nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1)


def halving(channels_in: int, channels_out: int) -> nn.Conv2d:
    """Learnt downsampling: (B, channels_in, H, W) -> (B, channels_out, H/2, W/2)."""
    return nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1)
