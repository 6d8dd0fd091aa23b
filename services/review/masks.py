"""A mask of a defect: an uploaded PNG, or an anomaly map and a threshold -> a PNG of one channel, 0 or 255, in the picture's own pixels.

An upload is judged by its first bytes and by the size that its header says before anything is decoded.
"""

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.review.errors import MaskError, MaskTooLargeError

Mask = NDArray[np.uint8]
"""(H, W), 0 or 255."""

DEFECTIVE = 255
HALF = 127
"""Above it a pixel is defective: the soft edge of a brush has to go one way or the other."""
_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 33
"""Signature and the whole IHDR chunk, which has to be the first."""


def checked_upload(content: bytes, *, width: int, height: int, max_bytes: int) -> bytes:
    """A person's mask as it is to be kept. Where there is an alpha channel it alone counts (a canvas), else the brightest channel. Raises MaskError."""
    if len(content) > max_bytes:
        raise MaskTooLargeError(f"mask: expected at most {max_bytes} bytes, got {len(content)}")
    _check_header(content, width, height)
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[:2] != (height, width):
        raise MaskError("mask: expected a whole PNG, got one that cannot be decoded")
    mask = _defective(pixels)
    if not mask.any():
        raise MaskError("mask: expected at least one defective pixel, got none; a part without a defect is good")
    return encoded(mask)


def from_map(map_png: bytes, threshold: float, *, width: int, height: int) -> bytes:
    """Where an anomaly map (S, S) is at or above `threshold` (0..1), at the picture's size. May be empty. Raises MaskError."""
    anomaly_map = cv2.imdecode(np.frombuffer(map_png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if anomaly_map is None:
        raise MaskError("anomaly map: expected a PNG, got one that cannot be decoded")
    grown = cv2.resize(anomaly_map, (width, height), interpolation=cv2.INTER_LINEAR)  # (S, S) -> (H, W)
    least = max(1, int(np.ceil(threshold * 255)))  # a threshold of 0 would make everything defective
    return encoded(np.where(grown >= least, DEFECTIVE, 0).astype(np.uint8))


def is_empty(mask_png: bytes) -> bool:
    mask = cv2.imdecode(np.frombuffer(mask_png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert mask is not None  # ours
    return not mask.any()


def encoded(mask: Mask) -> bytes:
    return bytes(cv2.imencode(".png", mask)[1].tobytes())


def _check_header(content: bytes, width: int, height: int) -> None:
    if not content.startswith(_PNG) or len(content) < _HEADER_BYTES or content[12:16] != b"IHDR":
        raise MaskError(f"mask: expected a PNG, got {len(content)} bytes starting {content[:4]!r}")
    found = struct.unpack(">II", content[16:24])
    if found != (width, height):
        raise MaskError(f"mask: expected the picture's own {width} x {height} pixels, got {found[0]} x {found[1]}")
    if b"acTL" in content.partition(b"IDAT")[0]:
        raise MaskError("mask: expected one picture, got an animation")


def _defective(pixels: NDArray[Any]) -> Mask:
    half = HALF * 257 if pixels.dtype == np.uint16 else HALF
    channels = pixels[..., None] if pixels.ndim == 2 else pixels  # (H, W) or (H, W, C) -> (H, W, C)
    drawn = channels[..., -1] if channels.shape[-1] in (2, 4) else channels.max(axis=-1)
    return np.where(drawn > half, DEFECTIVE, 0).astype(np.uint8)
