"""A number of frames and a size -> real JPEG files of that size, and frames with ids of their own, the same in every process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from services.contract.frame import Frame
from services.contract.names import FrameId

LIVE_LENGTH = 20_000
"""Inspections that one line's stream may keep: more frames go to more lines, so that all their ids can be read back."""
CAMERAS = 16
"""A line's; their keys spread over the partitions."""
PICTURES = 64


@dataclass(frozen=True, slots=True)
class Load:
    """Which frames one run sends. `session` tells runs apart."""

    session: str
    frames: int

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(f"bench-{number}" for number in range(max(1, -(-self.frames // LIVE_LENGTH))))

    def frame_id(self, number: int) -> FrameId:
        lines = self.lines
        place, sequence = number % (len(lines) * CAMERAS), number // (len(lines) * CAMERAS)
        return FrameId(lines[place % len(lines)], f"camera-{place // len(lines)}", self.session, sequence)

    def frame_ids(self) -> Iterator[str]:
        return (str(self.frame_id(number)) for number in range(self.frames))

    def stream(self, pictures: Sequence[bytes]) -> Iterator[Frame]:
        """Taken at the moment when they are asked for."""
        for number in range(self.frames):
            yield Frame(self.frame_id(number), pictures[number % len(pictures)], datetime.now(UTC))


def make_pictures(size_kb: int, *, count: int = PICTURES, seed: int = 0) -> list[bytes]:
    """JPEG files of exactly `size_kb` * 1000 bytes: a grainy part, compressed to just below, and random bytes behind its end."""
    rng = np.random.default_rng(seed)
    return [_padded(_largest_below(_part(rng), size_kb * 1000), size_kb * 1000, rng) for _ in range(count)]


def _part(rng: np.random.Generator, width: int = 1280, height: int = 960) -> NDArray[np.uint8]:
    """Soft light, a few edges and grain, about as hard to compress as a photograph."""
    coarse = rng.uniform(70, 190, (6, 8, 3)).astype(np.float32)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        corner = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(pixels, corner, int(rng.integers(20, 200)), [float(shade) for shade in rng.uniform(40, 220, 3)], int(rng.integers(1, 12)))
    return np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)


def _largest_below(pixels: NDArray[np.uint8], size: int) -> bytes:
    """Halved until it fits at a quality that a camera would use."""
    while min(pixels.shape[:2]) >= 8:
        for quality in (90, 75, 60, 45, 30):
            jpeg = _encoded(pixels, quality)
            if len(jpeg) <= size:
                return jpeg
        pixels = np.ascontiguousarray(pixels[::2, ::2])
    raise ValueError(f"size: expected at least 1 kB for a JPEG file, got {size} bytes")


def _encoded(pixels: NDArray[np.uint8], quality: int) -> bytes:
    _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(jpeg.tobytes())


def _padded(jpeg: bytes, size: int, rng: np.random.Generator) -> bytes:
    return jpeg + rng.bytes(size - len(jpeg))
