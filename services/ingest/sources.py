"""An address -> encoded pictures, one after the other. A source that dies raises SourceError; one that ends, ends."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from services.ingest.address import Address, FolderAddress, SyntheticAddress, VideoAddress
from services.ingest.errors import SourceError
from services.ingest.synthetic.line import SyntheticLine

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
JPEG_QUALITY = 92
VIDEO_FPS = 25.0
"""Of a video that does not say."""


@dataclass(frozen=True, slots=True)
class Capture:
    """One encoded picture, before it is a frame. `truth` is "good" or a kind of defect, where the source knows."""

    image: bytes
    part_id: str | None = None
    truth: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """An opened source: its pictures, and how many a second (0: as fast as they are taken)."""

    captures: Iterator[Capture]
    fps: float


def open_source(address: Address) -> Source:
    """Raises SourceError. Pushed pictures have no source to open."""
    match address:
        case FolderAddress():
            return Source(_from_folder(address), address.fps)
        case VideoAddress():
            return Source(_from_video(address), address.fps or _video_fps(address.path))
        case SyntheticAddress():
            return Source(_from_synthetic(address), address.fps)
        case _:
            raise SourceError("push: expected a source that can be read, but its pictures arrive over HTTP")


def _from_folder(address: FolderAddress) -> Iterator[Capture]:
    """Bytes as they are on disk. Each round of a shuffled folder has an order of its own."""
    for turn in itertools.count() if address.loop else range(1):
        files = picture_files(address.path)
        if address.order == "shuffled":
            random.Random(f"{address.seed}/{turn}").shuffle(files)
        for file in files:
            yield Capture(_read(file), part_id=file.stem, truth=truth_of(file))


def picture_files(folder: Path) -> list[Path]:
    """All JPEG and PNG files below the folder, sorted, without MVTec's masks. Raises SourceError where there are none."""
    if not folder.is_dir():
        raise SourceError(f"folder {folder}: expected a folder, found {'a file' if folder.exists() else 'nothing'}")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and "ground_truth" not in file.parts and file.is_file())
    if not files:
        raise SourceError(f"folder {folder}: expected JPEG or PNG files, found none")
    return files


def truth_of(file: Path) -> str | None:
    """MVTec layout: `.../test/<good or defect>/x.png` and `.../train/good/x.png` say what the part is."""
    split, kind = file.parent.parent.name, file.parent.name
    return kind if split == "test" or (split, kind) == ("train", "good") else None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SourceError(f"folder: {file}: {error.strerror or error}") from error


def _from_video(address: VideoAddress) -> Iterator[Capture]:
    for _ in itertools.count() if address.loop else range(1):
        number = -1
        for number, pixels in enumerate(_pictures(address.path)):
            yield Capture(_jpeg(pixels), part_id=f"{address.path.stem}-{number:06}")
        if number < 0:
            raise SourceError(f"video {address.path}: expected pictures, found none")


def _pictures(path: Path) -> Iterator[Any]:
    video = _opened(path)
    try:
        while (read := video.read())[0]:
            yield read[1]
    finally:
        video.release()


def _video_fps(path: Path) -> float:
    video = _opened(path)
    try:
        fps = float(video.get(cv2.CAP_PROP_FPS))
        return fps if 0 < fps <= 1000 else VIDEO_FPS
    finally:
        video.release()


def _opened(path: Path) -> Any:
    if not path.is_file():
        raise SourceError(f"video {path}: expected a file, found {'a folder' if path.exists() else 'nothing'}")
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise SourceError(f"video {path}: expected a video that OpenCV reads")
    return video


def _from_synthetic(address: SyntheticAddress) -> Iterator[Capture]:
    line = SyntheticLine(address.kind, address.seed)
    for index in itertools.count():
        part = line.part(index, address.defects)
        yield Capture(_jpeg(part.image), part_id=f"{address.seed}-{index:06}", truth=part.kind)


def _jpeg(pixels: Any) -> bytes:
    encoded, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise SourceError(f"picture of shape {pixels.shape}: could not be encoded")
    return bytes(jpeg.tobytes())
