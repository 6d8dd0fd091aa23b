"""Pictures of every kind reach the network in one way, and broken ones fail by name before they cost anything."""

import cv2
import numpy as np
import pytest
import torch

from models.preprocessing import Header, ImageTooLargeError, Pixels, Preprocessing, UnreadableImageError, check_input, read_header, to_tensor


@pytest.fixture(scope="module")
def photograph() -> Pixels:
    """Smooth enough to be a photograph: 1280 x 960, BGR."""
    coarse = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return cv2.resize(coarse, (1280, 960), interpolation=cv2.INTER_LINEAR)


def encoded(pixels: np.ndarray, suffix: str = ".jpg", *options: int) -> bytes:
    return cv2.imencode(suffix, pixels, list(options))[1].tobytes()


def with_size(png: bytes, width: int, height: int) -> bytes:
    return png[:16] + width.to_bytes(4) + height.to_bytes(4) + png[24:]


@pytest.mark.parametrize(("suffix", "image_format"), [(".jpg", "jpeg"), (".png", "png")])
def test_the_header_gives_format_and_size(photograph: Pixels, suffix: str, image_format: str):
    header = read_header(encoded(photograph[:517, :1027], suffix))

    assert (header.format, header.width, header.height) == (image_format, 1027, 517)


def test_a_progressive_jpeg_has_a_header_too(photograph: Pixels):
    assert read_header(encoded(photograph, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)).pixels == 1280 * 960


@pytest.mark.parametrize(("side", "expected"), [(32, 8), (96, 8), (128, 4), (256, 2), (512, 1), (1024, 1)])
def test_the_largest_reduction_that_covers_the_network_is_taken(side: int, expected: int):
    assert Preprocessing(side=side)._reduction(Header("jpeg", 1280, 960)) == expected


@pytest.mark.parametrize("side", [64, 128, 256])
def test_a_reduced_jpeg_looks_like_the_whole_one(photograph: Pixels, side: int):
    preprocessing, image = Preprocessing(side=side), encoded(photograph)
    whole = preprocessing.fit(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR))

    reduced = preprocessing.decode(image).pixels

    difference = np.abs(reduced.astype(int) - whole)
    assert difference.mean() < 2
    assert difference.max() <= 16


def test_the_original_size_stays_with_the_picture(photograph: Pixels):
    picture = Preprocessing().decode(encoded(photograph))

    assert (picture.width, picture.height, picture.pixels.shape) == (1280, 960, (128, 128, 3))


def test_small_pictures_are_enlarged(photograph: Pixels):
    assert Preprocessing().decode(encoded(photograph[:40, :70])).pixels.shape == (128, 128, 3)


def test_grey_alpha_and_16_bit_become_8_bit_bgr(photograph: Pixels):
    preprocessing = Preprocessing()
    grey, plain = photograph[:, :, 0], preprocessing.fit(photograph)
    grey_plain = preprocessing.fit(np.repeat(grey[:, :, None], 3, axis=2))

    assert np.array_equal(preprocessing.decode(encoded(grey, ".png")).pixels, grey_plain)
    assert np.array_equal(preprocessing.decode(encoded(grey.astype(np.uint16) * 257, ".png")).pixels, grey_plain)
    assert np.array_equal(preprocessing.decode(encoded(photograph.astype(np.uint16) * 257, ".png")).pixels, plain)
    assert np.array_equal(preprocessing.decode(encoded(np.dstack([photograph, grey]), ".png")).pixels, plain)


def test_exif_orientation_is_ignored(photograph: Pixels):
    """Regions are in the sensor's own pixels, so a camera's idea of "up" must not turn the picture."""
    image = encoded(photograph)
    tiff = b"II*\0" + (8).to_bytes(4, "little") + b"\1\0" + bytes.fromhex("1201030001000000") + b"\6\0\0\0" + b"\0\0\0\0"
    segment = b"Exif\0\0" + tiff
    turned = image[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2) + segment + image[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (1280, 960)

    picture = Preprocessing().decode(turned)

    assert (picture.width, picture.height) == (1280, 960)
    assert np.array_equal(picture.pixels, Preprocessing().decode(image).pixels)


def test_the_blue_channel_comes_first_and_values_lie_in_0_to_1():
    blue = np.zeros((200, 200, 3), np.uint8)
    blue[:, :, 0] = 255

    batch = to_tensor([Preprocessing().decode(encoded(blue, ".png"))])

    assert batch.shape == (1, 3, 128, 128)
    assert batch.dtype == torch.float32
    assert batch.amax(dim=(0, 2, 3)).tolist() == [1, 0, 0]


@pytest.mark.parametrize("wrong", [torch.full((1, 3, 128, 128), 255.0), torch.full((1, 3, 128, 128), -0.1), torch.full((1, 3, 128, 128), float("nan"))])
def test_values_outside_0_to_1_do_not_reach_the_network(wrong: torch.Tensor):
    with pytest.raises(ValueError, match=r"expected values in 0\.\.1"):
        check_input(wrong, 128)


@pytest.mark.parametrize("shape", [(3, 128, 128), (0, 3, 128, 128), (1, 1, 128, 128), (1, 3, 128, 64)])
def test_other_shapes_do_not_reach_the_network(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"\(B, 3, 128, 128\)"):
        check_input(torch.zeros(shape), 128)


@pytest.mark.parametrize("kept", [0, 3, 12, 200, 0.3, 0.999, -1])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_truncated_pictures_are_unreadable(photograph: Pixels, suffix: str, kept: float):
    image = encoded(photograph, suffix)
    end = int(kept * len(image)) if 0 < kept < 1 else int(kept)

    with pytest.raises(UnreadableImageError):
        Preprocessing().decode(image[:end])


def test_an_end_marker_in_a_thumbnail_does_not_hide_a_truncation(photograph: Pixels):
    image = encoded(photograph)
    thumbnail = encoded(photograph[:16, :16])
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2) + thumbnail

    with pytest.raises(UnreadableImageError, match="truncated"):
        Preprocessing().decode((image[:2] + segment + image[2:])[:-2000])


def test_padding_behind_a_whole_jpeg_is_harmless(photograph: Pixels):
    assert Preprocessing().decode(encoded(photograph) + bytes(512)).width == 1280


@pytest.mark.parametrize("wrong", [b"GIF89a" + bytes(100), b"<html>", b"%PDF-1.7", bytes(4096)])
def test_other_types_are_named(wrong: bytes):
    with pytest.raises(UnreadableImageError, match="expected JPEG or PNG"):
        Preprocessing().decode(wrong)


def test_a_broken_png_is_unreadable(photograph: Pixels):
    image = bytearray(encoded(photograph, ".png"))
    image[len(image) // 2] ^= 0xFF

    with pytest.raises(UnreadableImageError):
        Preprocessing().decode(bytes(image))


def test_limits_hold_before_anything_is_decoded(photograph: Pixels, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    image = encoded(photograph, ".png")

    with pytest.raises(ImageTooLargeError, match="at most 1000 bytes"):
        Preprocessing().decode(image, max_bytes=1000)
    with pytest.raises(ImageTooLargeError, match="60000 x 60000"):
        Preprocessing().decode(with_size(image, 60000, 60000), max_pixels=64_000_000)


def test_a_picture_without_area_is_unreadable(photograph: Pixels):
    with pytest.raises(UnreadableImageError, match="0 x 960"):
        read_header(with_size(encoded(photograph, ".png"), 0, 960))


def test_parameters_survive_the_version_file_and_others_are_refused():
    assert Preprocessing.from_dict(Preprocessing(side=256).to_dict()) == Preprocessing(side=256)
    with pytest.raises(ValueError, match="multiple of 32, got 100"):
        Preprocessing(side=100)
    with pytest.raises(ValueError, match="rgb"):
        Preprocessing.from_dict({"side": 128, "colour": "rgb"})
    with pytest.raises(ValueError, match="crop"):
        Preprocessing.from_dict({"side": 128, "crop": 0.9})
