"""Inspections of lines that somebody looks at -> small pictures in Redis, and anomaly maps of flagged frames. Best effort: nobody waits for them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import cv2
import numpy as np

from services.contract.inspection import Decision, Inspection
from services.inspection.activations import Activations
from services.inspection.judging import Judged
from services.results.pictures import Preview

log = logging.getLogger(__name__)

WIDEST = 640
QUALITY = 80
MASKS_WAITING = 64
Store = Callable[[Sequence[Preview], Mapping[str, bytes]], Awaitable[bool]]


class Previews:
    """Keeps the newest of each line while the last ones are on their way."""

    def __init__(self, store: Store, activations: Activations) -> None:
        self._store, self._activations = store, activations
        self._newest: dict[str, tuple[Judged, Inspection]] = {}
        self._masks: dict[str, bytes] = {}
        self._task: asyncio.Task[None] | None = None

    def show(self, judged: Sequence[Judged], inspections: Sequence[Inspection]) -> None:
        for one, inspection in zip(judged, inspections, strict=True):
            if one.frame is not None:
                self._notice(one, inspection, one.frame.frame_id.line)
        if (self._newest or self._masks) and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._send())

    def _notice(self, one: Judged, inspection: Inspection, line: str) -> None:
        if self._activations.is_watched(line):
            self._newest[line] = (one, inspection)
        flagged = one.finding is not None and one.finding.decision is not Decision.PASS
        if flagged and one.finding is not None and one.finding.map_png and len(self._masks) < MASKS_WAITING:
            self._masks[inspection.frame_id] = one.finding.map_png

    async def _send(self) -> None:
        while self._newest or self._masks:
            newest, masks = list(self._newest.values()), self._masks
            self._newest, self._masks = {}, {}
            try:
                previews = await asyncio.to_thread(_previews, newest)
                await self._store(previews, masks)
            except Exception as error:  # a picture that cannot be shown must not end the showing
                log.warning("previews: %s: %s", type(error).__name__, error)


def _previews(newest: Sequence[tuple[Judged, Inspection]]) -> list[Preview]:
    found = []
    for one, inspection in newest:
        jpeg = small_jpeg(one.record.value or b"", inspection.width)
        if jpeg is not None:
            found.append(Preview(inspection, jpeg, one.finding.map_png if one.finding else None))
    return found


def small_jpeg(image: bytes, width: int | None) -> bytes | None:
    """A picture at most 640 pixels wide; None where it cannot be read. What is small enough already is passed on as it is."""
    if width is not None and width <= WIDEST and image.startswith(b"\xff\xd8\xff"):
        return image
    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), _reduction(width) | cv2.IMREAD_IGNORE_ORIENTATION) if image else None
    if pixels is None:
        return None
    if pixels.shape[1] > WIDEST:
        pixels = cv2.resize(pixels, (WIDEST, max(1, round(pixels.shape[0] * WIDEST / pixels.shape[1]))), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _reduction(width: int | None) -> int:
    """JPEGs are decoded smaller where that still covers the preview."""
    steps = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))
    return next((flag for step, flag in steps if width is not None and width >= step * WIDEST), cv2.IMREAD_COLOR)
