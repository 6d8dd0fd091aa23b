"""A network's convolutions and quantizers -> the same with native loops, for passes of one frame on a CPU.

Legend: C channels in, O channels out, H W rows and columns, D code size, h w latent grid.
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from models.backends.native.kernels import convolve, nearest, normalise, packed, panel, panelled
from models.dsr.quantizer import Quantized, Quantizer

FEWEST_CHANNELS = 32
"""Below this the transforms cost more than the multiplications they save."""
FEWEST_TILES = 64
"""Of 4x4 pixels; with fewer, reading the weights, four times as many numbers, costs more."""


def make_native(network: nn.Module) -> None:
    """Replaces what has a native form, in place. Answers change by rounding only."""
    for name, child in list(network.named_children()):
        if isinstance(child, nn.Sequential):
            setattr(network, name, nn.Sequential(*_fused([*child])))
        elif _is_native(child):
            setattr(network, name, NativeConvolution(child))
        elif isinstance(child, Quantizer) and _divides(child):
            setattr(network, name, NativeQuantizer(child))
    for child in network.children():
        if not isinstance(child, NativeConvolution):
            make_native(child)


class NativeConvolution(nn.Module):
    """A 3x3 convolution, with the norm or the ReLU that follows it: (1, C, H, W) -> (1, O, H, W)."""

    def __init__(self, convolution: nn.Module, *after: nn.Module) -> None:
        super().__init__()
        assert isinstance(convolution, nn.Conv2d)
        self.plain = nn.Sequential(convolution, *_fused([*after]))
        self.epsilon = next((module.eps for module in after if isinstance(module, nn.InstanceNorm2d)), None)
        self.relu = bool(after) and self.epsilon is None  # the norm brings its own
        self._packed: Tensor | None = None

    def forward(self, features: Tensor) -> Tensor:
        rows, columns = features.shape[2:]
        if rows % 4 or columns % 4 or rows * columns < 16 * FEWEST_TILES:
            plain: Tensor = self.plain(features)
            return plain
        convolution: Any = self.plain[0]
        if self._packed is None:
            self._packed = packed(convolution.weight)
        bias = convolution.bias if self.epsilon is None else None  # the norm would take it away again
        return convolve(features, self._packed, bias, convolution.out_channels, relu=self.relu, epsilon=self.epsilon)


class NativeNorm(nn.Module):
    """InstanceNorm and ReLU behind a convolution, whose output nobody else reads: (1, C, H, W) -> the same place."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, features: Tensor) -> Tensor:
        return normalise(features, self.epsilon)


class NativeQuantizer(nn.Module):
    """The nearest codes, without a distance kept: (1, D, h, w) -> Quantized."""

    def __init__(self, quantizer: Quantizer) -> None:
        super().__init__()
        self.codebook = quantizer.codebook
        self.centre = self.codebook.double().mean(dim=0).float()
        """Taken off both sides: distances stay the same, and small ones are no longer differences of large numbers."""
        self.panels, self.offsets = panelled(self.codebook - self.centre)

    def forward(self, features: Tensor) -> Quantized:
        batch, size, rows, columns = features.shape
        flat = (features.permute(0, 2, 3, 1) - self.centre).view(-1, size)  # (B, D, h, w) -> (N, D)
        indices = nearest(flat, self.panels, self.offsets).view(batch, rows, columns)
        return Quantized(F.embedding(indices, self.codebook).permute(0, 3, 1, 2), indices)


def _fused(children: list[nn.Module]) -> list[nn.Module]:
    """Convolution, norm and ReLU become one module, convolution and ReLU too, and norm and ReLU behind any other convolution."""
    fused: list[nn.Module] = []
    while children:
        child, *children = children
        following = [type(module) for module in children[:2]]
        if _is_native(child):
            taken = 2 if following == [nn.InstanceNorm2d, nn.ReLU] else int(following[:1] == [nn.ReLU])
            child, children = NativeConvolution(child, *children[:taken]), children[taken:]
        elif isinstance(child, nn.InstanceNorm2d) and following[:1] == [nn.ReLU] and child.num_features % (panel() // 2) == 0:
            child, children = NativeNorm(child.eps), children[1:]
        fused.append(child)
    return fused


def _is_native(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and (module.kernel_size, module.stride, module.padding, module.groups) == ((3, 3), (1, 1), (1, 1), 1)
        and min(module.in_channels, module.out_channels) >= FEWEST_CHANNELS
        and module.in_channels % panel() == module.out_channels % panel() == 0
    )


def _divides(quantizer: Quantizer) -> bool:
    """Features always come in multiples of 16: the grids are multiples of 4."""
    return len(quantizer.codebook) % panel() == 0
