"""A network of a few thousand weights, and pictures of a part that it can learn in seconds."""

from pathlib import Path

import cv2
import numpy as np
import torch

from models.checkpoint import Version, save
from models.dsr import DSR, DSRConfig
from models.preprocessing import Preprocessing

SIDE = 64
TINY = DSRConfig(
    code_size=8,
    codes=32,
    codec_width=8,
    residual_width=4,
    residual_blocks=1,
    restriction_width=8,
    restriction_poolings=1,
    object_decoder="general",
    unet_width=4,
)


def saved_tiny(folder: Path, *stages: str) -> Path:
    """A version of it with random weights, which says that it completed these stages."""
    torch.manual_seed(0)
    save(folder, DSR(TINY), Version(TINY, Preprocessing(side=SIDE), 5, stages), card={"name": "tiny"})
    return folder


def write_stripes(folder: Path, number: int, *, side: int = 64) -> Path:
    """Good pictures of a striped part: shifted, with a little noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        cv2.imwrite(str(folder / f"{index:02}.png"), striped(index, side=side))
    return folder


def striped(seed: int, *, side: int = 64) -> np.ndarray:
    dice = np.random.default_rng(seed)
    wave = 128 + 60 * np.sin(np.arange(side) / 3 + dice.uniform(0, 6))[None, :, None]
    return np.clip(wave + dice.normal(0, 4, (side, side, 3)), 0, 255).astype(np.uint8)
