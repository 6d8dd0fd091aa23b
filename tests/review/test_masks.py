"""What is a mask of a picture, and what is refused."""

import struct
import zlib

import numpy as np
import pytest

from services.review.errors import MaskError, MaskTooLargeError
from services.review.masks import checked_upload, from_map, is_empty
from tests.review.makers import HEIGHT, WIDTH, drawn, hot_map, png, read

MB = 2**20


def checked(content: bytes, *, max_bytes: int = MB) -> np.ndarray:
    return read(checked_upload(content, width=WIDTH, height=HEIGHT, max_bytes=max_bytes))


def canvas(alpha: int) -> bytes:
    """As a browser's canvas sends it: strokes of some colour over nothing, with a soft edge."""
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[5:10, 5:10] = (30, 30, 200, alpha)
    return png(pixels)


def test_a_grey_mask_is_kept_as_one_channel_of_0_and_255() -> None:
    mask = checked(drawn(box=(5, 6, 8, 4)))

    assert (mask.shape, sorted(np.unique(mask)), int((mask == 255).sum())) == ((HEIGHT, WIDTH), [0, 255], 32)
    assert mask[6, 5] == 255


@pytest.mark.parametrize(("value", "pixels"), [(127, 0), (128, 25)])
def test_what_a_canvas_drew_is_its_alpha_above_127(value: int, pixels: int) -> None:
    if not pixels:
        with pytest.raises(MaskError, match="at least one defective pixel"):
            checked(canvas(value))
    else:
        assert int((checked(canvas(value)) == 255).sum()) == pixels


def test_colours_and_16_bits_are_understood() -> None:
    colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colours[0, 0] = (0, 0, 255)
    deep = np.zeros((HEIGHT, WIDTH), np.uint16)
    deep[0, 0], deep[1, 1] = 60_000, 20_000

    assert [int((checked(png(one)) == 255).sum()) for one in (colours, deep)] == [1, 1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected a PNG"),
        (b"\xff\xd8\xff\xe0 a JPEG that is long enough to be looked at", "expected a PNG"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "expected a PNG"),
        (drawn()[:60], "cannot be decoded"),
        (drawn(WIDTH + 1, HEIGHT), "own 40 x 30 pixels, got 41 x 30"),
        (drawn(HEIGHT, WIDTH), "own 40 x 30 pixels, got 30 x 40"),
        (png(np.zeros((HEIGHT, WIDTH), np.uint8)), "at least one defective pixel"),
    ],
    ids=["empty", "jpeg", "no-header", "cut-off", "too-wide", "turned", "nothing-drawn"],
)
def test_what_is_no_mask_of_this_picture_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(MaskError, match=said):
        checked(content)


def test_a_mask_that_says_it_is_huge_is_refused_by_its_header_alone() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))

    with pytest.raises(MaskError, match="got 60000 x 60000"):
        checked(b"\x89PNG\r\n\x1a\n" + chunk + drawn()[33:])


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(MaskTooLargeError, match="at most 100 bytes, got 101"):
        checked(b"x" * 101, max_bytes=100)


def test_an_animation_is_not_one_picture() -> None:
    still = drawn()
    animation = struct.pack(">I", 8) + b"acTL" + struct.pack(">II", 2, 0)
    animation += struct.pack(">I", zlib.crc32(animation[4:]))

    with pytest.raises(MaskError, match="got an animation"):
        checked(still[:33] + animation + still[33:])


def test_a_map_is_cut_at_a_threshold_in_the_pictures_own_pixels() -> None:
    low, high = (read(from_map(hot_map(peak=200), threshold, width=WIDTH, height=HEIGHT)) for threshold in (0.2, 0.7))

    assert low.shape == high.shape == (HEIGHT, WIDTH)
    assert sorted(np.unique(low)) == [0, 255]
    assert low[0, 0] == high[0, 0] == 255
    assert low[-1, -1] == 0
    assert (low == 255).sum() > (high == 255).sum() >= 0.8 * WIDTH * HEIGHT / 4


def test_a_threshold_above_the_map_leaves_nothing_and_one_of_zero_not_everything() -> None:
    assert is_empty(from_map(hot_map(peak=200), 0.9, width=WIDTH, height=HEIGHT))
    assert not (read(from_map(hot_map(), 0, width=WIDTH, height=HEIGHT)) == 255).all()
