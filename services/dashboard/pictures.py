"""Frame id -> its picture, a thumbnail of it, or its anomaly map; from the archive, else from Kafka by the source offset, else from Redis."""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np
from starlette.responses import Response

from services.bus.errors import BusError
from services.bus.reader import read_record
from services.contract.frame import Frame, InvalidFrameError
from services.contract.inspection import Inspection, Outcome
from services.contract.settings import Settings, SettingsError
from services.dashboard.errors import PictureGoneError
from services.dashboard.store import Store
from services.records.store import Records
from services.results.archive import Archive, ArchiveError

THUMBNAILS_KEPT = 400
READERS = 2
"""Reads from Kafka at once: each opens a consumer of its own."""
FINDABLE = 500
KEPT = "private, max-age=86400"
"""What a frame id names never changes; sharing caches need not keep a factory's pictures."""


@dataclass(frozen=True, slots=True)
class Image:
    content: bytes
    media_type: str
    etag: str


class Pictures:
    def __init__(self, settings: Settings, store: Store, records: Records, archive: Archive) -> None:
        self._settings, self._store, self._records, self._archive = settings, store, records, archive
        self._thumbnails: OrderedDict[tuple[str, int], Image] = OrderedDict()
        self._reading = asyncio.Semaphore(READERS)

    async def inspection(self, line: str, frame_id: str) -> Inspection | None:
        """From the live view while it lasts; flagged ones from the records for good."""
        flagged = await asyncio.to_thread(self._records.flagged.of, frame_id)
        if flagged is not None:
            return flagged
        entries = await self._store.latest(line, FINDABLE)
        return next((entry.inspection for entry in entries if entry.inspection.frame_id == frame_id), None)

    async def image(self, inspection: Inspection) -> Image:
        """The frame's own bytes. Raises PictureGoneError."""
        return image_of(await self._bytes(inspection))

    async def thumbnail(self, inspection: Inspection, width: int) -> Image:
        """JPEG at most `width` pixels wide. Raises PictureGoneError, also for a frame that could not be inspected: nobody has checked its size."""
        if inspection.outcome is Outcome.FAILED:
            raise PictureGoneError(f"frame {inspection.frame_id}: has no thumbnail, it could not be read")
        key = (inspection.frame_id, width)
        if key not in self._thumbnails:
            self._thumbnails[key] = await asyncio.to_thread(shrunk, await self._bytes(inspection), width)
        self._thumbnails.move_to_end(key)
        while len(self._thumbnails) > THUMBNAILS_KEPT:
            self._thumbnails.popitem(last=False)
        return self._thumbnails[key]

    async def anomaly_map(self, inspection: Inspection) -> Image:
        """Grey PNG. Raises PictureGoneError."""
        path = inspection.archived.map_path if inspection.archived else None
        if path is not None:
            try:
                return image_of(await asyncio.to_thread(self._archive.get, path))
            except ArchiveError:
                pass  # swept; the live view may still have it
        found = await self._store.mask(inspection.frame_id)
        if found is None:
            raise PictureGoneError(f"frame {inspection.frame_id}: its anomaly map is no longer kept")
        return image_of(found)

    async def _bytes(self, inspection: Inspection) -> bytes:
        if inspection.archived is not None:
            try:
                return await asyncio.to_thread(self._archive.get, inspection.archived.frame_path)
            except ArchiveError:
                pass  # swept; Kafka may still have it
        async with self._reading:
            return await asyncio.to_thread(self._from_kafka, inspection)

    def _from_kafka(self, inspection: Inspection) -> bytes:
        source = inspection.source
        try:
            record = read_record(self._settings, self._settings.names.frames, source.partition, source.offset, topic_id=source.topic_id, wait_s=5)
            frame = Frame.from_record(record.headers, record.value)
        except (BusError, InvalidFrameError, SettingsError) as error:
            raise PictureGoneError(f"frame {inspection.frame_id}: {error}") from error
        if str(frame.frame_id) != inspection.frame_id:
            raise PictureGoneError(f"frame {inspection.frame_id}: its place in Kafka holds {frame.frame_id}")
        return frame.image


def image_response(image: Image, known: str | None) -> Response:
    """`known` is the caller's If-None-Match."""
    headers = {"etag": image.etag, "cache-control": KEPT}
    if known is not None and image.etag in (one.strip().removeprefix("W/") for one in known.split(",")):
        return Response(status_code=304, headers=headers)
    if image.media_type == "application/octet-stream":
        headers["content-disposition"] = "attachment"
    return Response(image.content, media_type=image.media_type, headers=headers)


def image_of(content: bytes) -> Image:
    return Image(content, _media_type(content), f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _media_type(content: bytes) -> str:
    """By the first bytes; anything else is offered as a download, never shown."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/png" if content.startswith(b"\x89PNG\r\n\x1a\n") else "application/octet-stream"


def shrunk(content: bytes, width: int) -> Image:
    """JPEG at most `width` pixels wide. Raises PictureGoneError."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise PictureGoneError("the picture cannot be decoded")
    if pixels.shape[1] > width:
        pixels = cv2.resize(pixels, (width, max(1, round(pixels.shape[0] * width / pixels.shape[1]))), interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    return image_of(encoded.tobytes())
