"""Addresses and what they open."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from services.ingest.address import FolderAddress, PushAddress, SyntheticAddress, VideoAddress, parse_source
from services.ingest.errors import SourceAddressError, SourceError
from services.ingest.sources import open_source

JPEG = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()


@pytest.fixture
def test_split(tmp_path: Path) -> Path:
    """MVTec's layout, with a picture in a kind of defect whose bytes tell which it is."""
    for number, kind in enumerate(["good", "good", "scratch"]):
        file = tmp_path / "tile" / "test" / kind / f"{number:03}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(JPEG + bytes([number]))
    mask = tmp_path / "tile" / "ground_truth" / "scratch" / "002_mask.png"
    mask.parent.mkdir(parents=True)
    mask.write_bytes(b"mask")
    return tmp_path / "tile"


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("folder:/data/tile", FolderAddress(Path("/data/tile"))),
        ("folder:/data/tile?loop=0&fps=2.5&order=shuffled&seed=7", FolderAddress(Path("/data/tile"), 2.5, False, "shuffled", 7)),
        ("folder:/data/a%3Fb", FolderAddress(Path("/data/a?b"))),
        ("video:/data/a.mp4?fps=10", VideoAddress(Path("/data/a.mp4"), 10)),
        ("synthetic:ceramic-tile?defects=0.2&fps=8", SyntheticAddress("ceramic-tile", 8, 1, 0.2)),
        ("push:", PushAddress()),
    ],
)
def test_an_address_is_read(source: str, address: object) -> None:
    assert parse_source(source) == address


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("camera7", "expected folder:, video:, synthetic:, push: in front, got 'camera7'"),
        ("ftp:/x", "in front, got 'ftp:/x'"),
        ("folder:", "expected a path behind the colon, got none"),
        ("folder:/x?fps=fast", "folder, fps: expected frames per second, 0 to 1000, got 'fast'"),
        ("folder:/x?fps=nan", "fps: expected frames per second"),
        ("folder:/x?order=random", "order: expected sorted or shuffled, got 'random'"),
        ("folder:/x?loop=yes", "loop: expected 0 or 1, got 'yes'"),
        ("folder:/x?speed=2", "speed: expected one of .* got speed='2'"),
        ("folder:/x?fps", "expected key=value"),
        ("synthetic:velvet", "expected one of brushed-metal, .* got 'velvet'"),
        ("synthetic:ceramic-tile?defects=2", "defects: expected a share, 0 to 1, got '2'"),
        ("push:8080", "expected nothing behind the colon, got '8080'"),
    ],
)
def test_a_wrong_address_says_key_value_and_expectation(source: str, problem: str) -> None:
    with pytest.raises(SourceAddressError, match=problem):
        parse_source(source)


def test_a_folder_gives_its_bytes_with_the_truth_of_its_layout(test_split: Path) -> None:
    captures = list(open_source(FolderAddress(test_split, loop=False)).captures)

    assert [capture.image for capture in captures] == [JPEG + bytes([number]) for number in range(3)]
    assert [(capture.part_id, capture.truth) for capture in captures] == [("000", "good"), ("001", "good"), ("002", "scratch")]


def test_a_plain_folder_knows_no_truth(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"png")

    assert [capture.truth for capture in open_source(FolderAddress(tmp_path, loop=False)).captures] == [None]


def test_a_shuffled_folder_has_an_order_of_its_seed_and_another_each_round(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}.jpg").write_bytes(bytes([number]))
    names = [[capture.part_id for capture in islice(open_source(FolderAddress(tmp_path, order="shuffled", seed=seed)).captures, 40)] for seed in (1, 1, 2)]

    assert names[0] == names[1]
    assert names[0] != names[2]
    assert names[0][:20] != names[0][20:]
    assert sorted(names[0][:20]) == sorted(names[0][20:])


@pytest.mark.parametrize(("make", "problem"), [(False, "found nothing"), (True, "expected JPEG or PNG files, found none")])
def test_a_folder_without_pictures_is_a_dead_source(tmp_path: Path, make: bool, problem: str) -> None:
    folder = tmp_path / "folder"
    if make:
        folder.mkdir()

    with pytest.raises(SourceError, match=problem):
        next(open_source(FolderAddress(folder)).captures)


def test_a_video_gives_its_pictures_at_its_own_speed(tmp_path: Path) -> None:
    video = cv2.VideoWriter(str(tmp_path / "line.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 12, (64, 48))
    for number in range(5):
        video.write(np.full((48, 64, 3), 40 * number, np.uint8))
    video.release()

    source = open_source(VideoAddress(tmp_path / "line.avi", loop=False))
    captures = list(source.captures)

    assert source.fps == pytest.approx(12)
    assert [round(cv2.imdecode(np.frombuffer(capture.image, np.uint8), 1).mean() / 40) for capture in captures] == [0, 1, 2, 3, 4]


def test_a_broken_video_is_a_dead_source(tmp_path: Path) -> None:
    (tmp_path / "line.mp4").write_bytes(b"no video")

    with pytest.raises(SourceError, match="a video that OpenCV reads"):
        open_source(VideoAddress(tmp_path / "line.mp4"))


def test_a_synthetic_line_says_what_its_parts_are() -> None:
    captures = list(islice(open_source(SyntheticAddress("brushed-metal", defects=0.5)).captures, 12))

    assert {capture.truth for capture in captures} > {"good"}
    assert all(10_000 < len(capture.image) < 80_000 and capture.image.startswith(b"\xff\xd8") for capture in captures)
