"""Encoded picture (JPEG or PNG) -> the network's input, the same for training and for serving.

The size is read from the header before anything is decoded, so that a small file cannot ask for much memory.
A JPEG is decoded at 1/2, 1/4 or 1/8 where that still covers the network's side (3-6 times cheaper), then averaged down.
Pictures are squashed to a square, as DSR does; EXIF orientation is ignored, so that regions are in the sensor's own pixels.

Legend: B batch, S the network's side.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # processes that only look at versions (recorder, dashboard) do without its 200 MB
    from torch import Tensor

Pixels = NDArray[np.uint8]

SIDE_STEP = 32
"""The network halves its input five times."""

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2, 1: cv2.IMREAD_COLOR}


class ImageError(ValueError):
    """A picture that cannot be inspected; it fails alone, its neighbours go on."""


class UnreadableImageError(ImageError):
    """Not a whole JPEG or PNG."""


class ImageTooLargeError(ImageError):
    """More bytes or pixels than the settings allow."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says of itself; `data_at` is where its compressed pixels begin."""

    format: Literal["jpeg", "png"]
    width: int
    height: int
    data_at: int = 0

    @property
    def pixels(self) -> int:
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Picture:
    """The network's view of a picture, and its original size."""

    pixels: Pixels  # (S, S, 3) BGR
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The parameters, stored in every model version: pictures must be served as they were trained on."""

    side: int = 128
    colour: Literal["bgr"] = "bgr"
    aspect: Literal["squash"] = "squash"

    def __post_init__(self) -> None:
        if self.side < SIDE_STEP or self.side % SIDE_STEP:
            raise ValueError(f"preprocessing.side: expected a multiple of {SIDE_STEP}, got {self.side!r}")
        if (self.colour, self.aspect) != ("bgr", "squash"):
            raise ValueError(f"preprocessing: expected colour 'bgr' and aspect 'squash', got {self.colour!r} and {self.aspect!r}")

    @classmethod
    def from_dict(cls, parameters: dict[str, Any]) -> Self:
        try:
            return cls(**parameters)
        except TypeError as error:
            raise ValueError(f"preprocessing: expected side, colour and aspect, got {sorted(parameters)}") from error

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def decode(self, image: bytes, *, max_bytes: int | None = None, max_pixels: int | None = None) -> Picture:
        """JPEG or PNG bytes -> `Picture`. Raises ImageTooLargeError (nothing was decoded) or UnreadableImageError."""
        if max_bytes is not None and len(image) > max_bytes:
            raise ImageTooLargeError(f"picture: expected at most {max_bytes} bytes, got {len(image)}")
        header = read_header(image)
        if max_pixels is not None and header.pixels > max_pixels:
            raise ImageTooLargeError(f"picture: expected at most {max_pixels} pixels, got {header.width} x {header.height}")
        _refuse_truncated(image, header)
        return Picture(self.fit(_decode(image, header, self._reduction(header))), header.width, header.height)

    def fit(self, pixels: Pixels) -> Pixels:
        """Decoded pixels (H, W, 3) BGR -> (S, S, 3): averaged where smaller, interpolated where larger."""
        _expect_bgr(pixels)
        if pixels.shape[:2] == (self.side, self.side):
            return pixels
        shrinks = min(pixels.shape[:2]) >= self.side
        resized: Pixels = cv2.resize(pixels, (self.side, self.side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return resized

    def _reduction(self, header: Header) -> int:
        if header.format != "jpeg":
            return 1  # a PNG has no cheap small version
        return next((n for n in (8, 4, 2) if min(header.width, header.height) >= n * self.side), 1)


def to_tensor(pictures: Sequence[Picture] | Sequence[Pixels]) -> "Tensor":
    """B pictures (S, S, 3) uint8 BGR -> (B, 3, S, S) float32 in 0..1, BGR: never normalised by ImageNet's means."""
    import torch

    arrays = [picture.pixels if isinstance(picture, Picture) else picture for picture in pictures]
    for array in arrays:
        _expect_bgr(array)
    batch = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)  # (B, S, S, 3) -> (B, 3, S, S)
    return batch.contiguous().float().div_(255)


def check_input(batch: "Tensor", side: int) -> "Tensor":
    """Passes on a batch (B, 3, S, S) of floats in 0..1; ValueError for anything else (0..255 fed by mistake looks like a defect)."""
    if batch.ndim != 4 or tuple(batch.shape[1:]) != (3, side, side) or not len(batch) or not batch.is_floating_point():
        raise ValueError(f"input: expected floats of shape (B, 3, {side}, {side}) with B >= 1, got {batch.dtype} {tuple(batch.shape)}")
    low, high = (float(bound) for bound in batch.aminmax())
    if not (low >= 0 and high <= 1):
        raise ValueError(f"input: expected values in 0..1, got {low:g}..{high:g}")
    return batch


def read_header(image: bytes) -> Header:
    """Format and size by the first bytes, whatever the file was called. Raises UnreadableImageError."""
    if image.startswith(_PNG):
        header = _read_png_header(image)
    elif image.startswith(_JPEG):
        header = _read_jpeg_header(image)
    else:
        raise UnreadableImageError(f"picture: expected JPEG or PNG, got {len(image)} bytes starting {image[:8]!r}")
    if header.width < 1 or header.height < 1:
        raise UnreadableImageError(f"picture: expected at least 1 x 1 pixels, got {header.width} x {header.height}")
    return header


def _read_png_header(image: bytes) -> Header:
    if len(image) < 33 or image[12:16] != b"IHDR":
        raise UnreadableImageError(f"PNG: expected IHDR as the first chunk, got {len(image)} bytes with {image[12:16]!r}")
    return Header("png", int.from_bytes(image[16:20]), int.from_bytes(image[20:24]), data_at=33)


def _read_jpeg_header(image: bytes) -> Header:
    """Walks the segments up to the first scan (SOS); the frame segment (SOF) before it holds the size."""
    size: tuple[int, int] | None = None
    at = 2
    while at + 4 <= len(image) and image[at] == 0xFF:
        marker = image[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        length = int.from_bytes(image[at + 2 : at + 4])
        if marker == 0xDA and size is not None:
            return Header("jpeg", *size, data_at=at + 2 + length)
        if _is_start_of_frame(marker) and length >= 8 and at + 9 <= len(image):
            size = (int.from_bytes(image[at + 7 : at + 9]), int.from_bytes(image[at + 5 : at + 7]))
        at += 2 + length
    raise UnreadableImageError(f"JPEG: expected a frame and a scan, got {len(image)} bytes without")


def _is_start_of_frame(marker: int) -> bool:
    return 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)  # those three hold tables


def _refuse_truncated(image: bytes, header: Header) -> None:
    """OpenCV fills the missing part of a JPEG with grey and says nothing; grey would then be judged as the part."""
    end = b"\xff\xd9" if header.format == "jpeg" else b"IEND"
    # Only after the scan began: an EXIF thumbnail ends in the same marker. Cameras may pad behind it.
    if image.rfind(end, header.data_at) < 0:
        raise UnreadableImageError(f"{header.format.upper()} {header.width} x {header.height}: truncated, no end marker in {len(image)} bytes")


def _decode(image: bytes, header: Header, reduction: int) -> Pixels:
    flags = _REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels: Pixels | None = cv2.imdecode(np.frombuffer(image, np.uint8), flags)  # grey, 16 bit, palette -> 8 bit BGR; alpha is dropped
    except cv2.error as error:
        raise UnreadableImageError(f"{header.format.upper()} {header.width} x {header.height}: {error}") from error
    if pixels is None:
        raise UnreadableImageError(f"{header.format.upper()} {header.width} x {header.height}: expected a readable picture, OpenCV could not decode it")
    expected = (-(-header.height // reduction), -(-header.width // reduction))
    if pixels.shape[:2] != expected:
        raise UnreadableImageError(f"{header.format.upper()}: expected {expected} rows and columns as its header says, got {pixels.shape[:2]}")
    return pixels


def _expect_bgr(pixels: Pixels) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels: expected uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}")
