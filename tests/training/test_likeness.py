"""Which pictures show the same thing: the same part again, not another of its kind."""

import os
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.preprocessing import Pixels, UnreadableImageError
from training.groups import group_of
from training.likeness import HIGHEST_LIMIT, Picture, find_alike, fingerprint_of, grouped, likeness

SIDE = 192


def surface(seed: int, *, top: int = 0, left: int = 0) -> Pixels:
    """A part with a bore and a texture of its own, seen through a window that may be shifted."""
    dice = np.random.default_rng(seed)
    texture = sum(cv2.resize(dice.normal(0, 14, (n, n)), (SIDE + 40, SIDE + 40), interpolation=cv2.INTER_CUBIC) for n in (12, 30, 60))
    pixels = np.full((SIDE + 40, SIDE + 40), 120.0) + texture
    cv2.circle(pixels, (SIDE // 2 + 20, SIDE // 2 + 20), 40, 30.0, -1)
    window = pixels[20 + top : 20 + top + SIDE, 20 + left : 20 + left + SIDE]
    return np.repeat(np.clip(window, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def png(pixels: Pixels) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


def jpeg(pixels: Pixels, quality: int) -> bytes:
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def pictures(images: dict[str, bytes], *, known: tuple[str, ...] = (), group: str | None = None) -> list[Picture]:
    return [Picture(name, group or name, fingerprint_of(image), name in known) for name, image in images.items()]


PARTS = {f"part-{seed}": png(surface(seed)) for seed in range(12)}


def test_a_picture_is_like_itself() -> None:
    fingerprint = fingerprint_of(PARTS["part-0"])

    assert likeness(fingerprint, fingerprint) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "copy",
    [
        jpeg(surface(3), 40),
        png(surface(3, top=5, left=-4)),
        png(cv2.resize(surface(3), (96, 96), interpolation=cv2.INTER_AREA)),
        png(cv2.convertScaleAbs(surface(3), alpha=0.7, beta=20)),
        png(np.clip(surface(3) + np.random.default_rng(0).normal(0, 5, (SIDE, SIDE, 1)), 0, 255).astype(np.uint8)),
    ],
    ids=["re-encoded", "shifted", "halved", "darker", "noisy"],
)
def test_a_part_is_found_again(copy: bytes) -> None:
    assert find_alike(pictures({**PARTS, "copy": copy})).pairs == (("copy", "part-3"),)


def test_other_parts_of_the_same_kind_are_not_alike() -> None:
    assert find_alike(pictures(PARTS)).pairs == ()


def test_the_limit_rises_where_different_parts_are_alike() -> None:
    plain = {f"plain-{seed}": png(cv2.addWeighted(surface(0), 0.8, surface(seed + 1), 0.2, 0)) for seed in range(12)}

    varied, alike = find_alike(pictures(PARTS)), find_alike(pictures(plain))

    assert varied.limit < alike.limit <= HIGHEST_LIMIT


def test_where_all_parts_look_the_same_nothing_is_joined() -> None:
    """Identical parts in a rigid fixture, apart by the noise of the sensor: else they would be one group, in one split."""
    dice = np.random.default_rng(0)
    part = surface(0).astype(np.float32)
    parts = {f"{n:02}": png(np.clip(part + dice.normal(0, 1, part.shape), 0, 255).astype(np.uint8)) for n in range(16)}

    many, few = find_alike(pictures(parts)), find_alike(pictures(dict(list(parts.items())[:15])))

    assert (many.pairs, many.telling, many.compared) == ((), False, 120)
    assert (len(few.pairs), few.telling) == (105, True)  # of few, most may well be one part


def test_pictures_of_one_group_are_not_compared() -> None:
    assert find_alike(pictures({"a": PARTS["part-0"], "b": PARTS["part-0"]}, group="part")).compared == 0


def test_known_pictures_are_compared_with_new_ones_alone() -> None:
    known = tuple(PARTS)

    assert find_alike(pictures(PARTS, known=known)).compared == 0
    assert find_alike(pictures({**PARTS, "copy": jpeg(surface(3), 80)}, known=known)).compared == len(PARTS)


def test_an_even_picture_is_not_like_a_part() -> None:
    even = png(np.full((SIDE, SIDE, 3), 128, np.uint8))

    assert find_alike(pictures({**PARTS, "even": even})).pairs == ()


def test_a_broken_picture_has_no_fingerprint() -> None:
    with pytest.raises(UnreadableImageError):
        fingerprint_of(PARTS["part-0"][:500])


def test_names_are_grouped_through_others() -> None:
    assert grouped("abcde", [("e", "c"), ("c", "b")]) == {"a": "a", "b": "b", "c": "b", "d": "d", "e": "b"}


@pytest.mark.parametrize(("product", "most_joined"), [("fabric03", 0), ("fabric02", 0), ("screw", 2)])
def test_of_real_pictures_different_parts_are_told_apart(product: str, most_joined: int) -> None:
    """Of the screws two pairs are joined; one of them is one screw that lies among the good ones twice."""
    folder = Path(os.environ.get("LOUPE_TEST_PICTURES", "")) / product
    if "LOUPE_TEST_PICTURES" not in os.environ or not folder.is_dir():
        pytest.skip(f"no {product}: set LOUPE_TEST_PICTURES to a folder that holds it")

    paths = [path for place in ("train/good", "test") for path in (folder / place).rglob("*.jpg")] or list(folder.rglob("train/good/*.png"))
    found = find_alike([Picture(path.as_posix(), group_of(path), fingerprint_of(path.read_bytes())) for path in sorted(paths)])

    assert len(found.pairs) <= most_joined


def test_of_real_tiles_most_exposures_of_one_tile_are_brought_together() -> None:
    folder = Path(os.environ.get("LOUPE_TEST_PICTURES", "")) / "magnetic_tile"
    if "LOUPE_TEST_PICTURES" not in os.environ or not folder.is_dir():
        pytest.skip("no magnetic_tile: set LOUPE_TEST_PICTURES to a folder that holds it")
    tiles = defaultdict(list)
    for path in sorted((folder / "test").rglob("*.jpg")):
        tiles[group_of(path)].append(path)
    chosen = [path for tile in list(tiles.values())[:60] for path in tile]

    found = find_alike([Picture(path.as_posix(), path.as_posix(), fingerprint_of(path.read_bytes())) for path in chosen])

    together = grouped([path.as_posix() for path in chosen], found.pairs)
    several = [tile for tile in list(tiles.values())[:60] if len(tile) > 1]
    whole = sum(len({together[path.as_posix()] for path in tile}) == 1 for tile in several)
    assert whole / len(several) > 0.5
