"""On a CPU: one frame at a time, because a larger pass gains nothing there and costs memory; channels last; native loops where they compile."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backends import native as native_loops
from models.dsr import DSR, Detection


class OneFrame:
    frames_per_pass = 1

    def __init__(self, dsr: DSR, *, native: bool = True) -> None:
        self.dsr = dsr.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        if native and native_loops.available():
            native_loops.make_native(self.dsr)
        _norm_one_frame(self.dsr)

    def detect(self, pictures: Tensor) -> Detection:
        return self.dsr.detect(pictures.contiguous(memory_format=torch.channels_last))

    def upsample(self, detection: Detection) -> Tensor:
        return self.dsr.upsample(detection)


class OneFrameNorm(nn.Module):
    """InstanceNorm of a batch of one, (1, C, H, W), by the kernel that knows channels last; the other would copy everything back."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        assert len(features) == 1, "more than one frame would be normalised by each other"
        return F.batch_norm(features, None, None, training=True, eps=self.eps)


def _norm_one_frame(network: nn.Module) -> None:
    for module in [*network.modules()]:
        for name, child in module.named_children():
            if isinstance(child, nn.InstanceNorm2d):
                setattr(module, name, OneFrameNorm(child.eps))
