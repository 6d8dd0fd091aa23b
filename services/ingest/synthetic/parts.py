"""(kind, seed, index) -> a picture of a good part: where it lies, how it is lit, what the sensor adds. Always the same for the same three.

Light, shift and tilt change more from part to part than many a defect does, as on a real line: what is steady is the texture, not the pixel.
"""

import zlib
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from services.ingest.synthetic.textures import CANVAS, SIDE, Field, Pixels, Surface, surface

GOOD = "good"
_NOISE_SIDE = 512
_LIGHT_SIDE = 24


@dataclass(frozen=True, slots=True)
class Part:
    """A picture and the truth about it: `mask` is 255 where the part is defective; `kind` is "good" or the kind of defect."""

    image: Pixels  # (SIDE, SIDE, 3) BGR
    mask: Pixels  # (SIDE, SIDE)
    kind: str = GOOD


@dataclass(frozen=True, slots=True)
class Shot:
    """How one frame sees the surface: a cut of it, the light on it, and the sensor's noise."""

    cut: Pixels  # (SIDE, SIDE, 3) BGR
    light: Field  # (SIDE, SIDE, 3), gain
    noise: NDArray[np.int16]  # (SIDE, SIDE, 3)
    placement: Field  # (2, 3), frame px -> surface px

    def photograph(self, painted: Pixels | None = None) -> Pixels:
        """The frame; `painted` is the cut with something else on it."""
        lit = cv2.multiply(self.cut if painted is None else painted, self.light, dtype=cv2.CV_16S)
        return np.asarray(cv2.add(lit, self.noise, dtype=cv2.CV_8U), np.uint8)


class GoodParts:
    """Good parts of one line. What is drawn once (surface, noise) is shared by all lines of the same kind."""

    def __init__(self, kind: str, seed: int = 0) -> None:
        self.kind, self.seed = kind, seed
        self.surface = _surface(kind)

    def good(self, index: int) -> Part:
        return Part(self.shot(self.rng(index)).photograph(), np.zeros((SIDE, SIDE), np.uint8))

    def rng(self, index: int) -> np.random.Generator:
        return np.random.default_rng([zlib.crc32(self.kind.encode()), self.seed, index])

    def shot(self, rng: np.random.Generator) -> Shot:
        placement = _placement(self.surface, rng)
        cut = cv2.warpAffine(self.surface.pixels, placement, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT)
        return Shot(np.asarray(cut, np.uint8), _light(self.surface, rng), _noise(rng), placement)


@lru_cache(maxsize=8)
def _surface(kind: str) -> Surface:
    return surface(kind, np.random.default_rng(zlib.crc32(kind.encode())))


def _placement(drawn: Surface, rng: np.random.Generator) -> Field:
    """Frame px -> surface px: the part turned about its centre, and shifted."""
    angle = np.deg2rad(rng.uniform(-drawn.tilt_deg, drawn.tilt_deg))
    scale = rng.uniform(0.97, 1.03)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = rng.uniform(-130, 130, 2) + CANVAS / 2 - turn @ np.array([SIDE / 2, SIDE / 2])
    return np.column_stack([turn, shift]).astype(np.float32)


def _light(drawn: Surface, rng: np.random.Generator) -> Field:
    """A level, a slope across the frame, a reflection somewhere, and a slight tint."""
    x, y = np.meshgrid(np.linspace(-1, 1, _LIGHT_SIDE), np.linspace(-1, 1, _LIGHT_SIDE))
    slope, bend = rng.uniform(-0.12, 0.12, 2), rng.uniform(-0.15, 0.15)
    gain = rng.uniform(0.84, 1.08) + slope[0] * x + slope[1] * y
    across = (x - rng.uniform(-0.9, 0.9) - bend * y) / (2 * drawn.glare_width[0])
    along = (y - rng.uniform(-0.9, 0.9)) / (2 * drawn.glare_width[1])
    gain += drawn.glare * rng.uniform(0.6, 1) * np.exp(-0.5 * (across**2 + along**2))
    field = cv2.resize(gain.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    tint = 1 + rng.uniform(-0.018, 0.018, 3)
    return np.asarray(cv2.merge([field * np.float32(channel) for channel in tint]), np.float32)


def _noise(rng: np.random.Generator) -> NDArray[np.int16]:
    x, y = rng.integers(0, _NOISE_SIDE - SIDE, 2)
    return _noise_sheet()[y : y + SIDE, x : x + SIDE]


@lru_cache(maxsize=1)
def _noise_sheet() -> NDArray[np.int16]:
    """Sensor noise, a little wider than a pixel; most of it is common to the channels."""
    rng = np.random.default_rng(5)
    grey = cv2.GaussianBlur(rng.standard_normal((_NOISE_SIDE, _NOISE_SIDE, 1)), (0, 0), 0.6)[..., None]
    coloured = cv2.GaussianBlur(rng.standard_normal((_NOISE_SIDE, _NOISE_SIDE, 3)), (0, 0), 0.6)
    return np.rint(3 * (2 * grey + 0.7 * coloured)).astype(np.int16)
