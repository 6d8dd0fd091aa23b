"""Small pictures for the pages: previews of lines somebody looks at, and anomaly maps of single frames. Best effort, with a time to live.

Losing one harms nobody: the frame's bytes are in Kafka and the archive, its inspection in `inspections`.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.contract.inspection import Inspection
from services.contract.names import Names
from services.results.connection import AsyncRedis, Redis, ResultsError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Preview:
    """One and the same frame: its inspection, the picture (JPEG, at most 640 px wide) and its anomaly map (PNG, grey), if judged."""

    inspection: Inspection
    jpeg: bytes
    anomaly_map: bytes | None = None

    @property
    def line(self) -> str:
        return self.inspection.identity.line


def write_previews(redis: Redis, names: Names, previews: Iterable[Preview], masks: Mapping[str, bytes], *, mask_ttl_s: int) -> bool:
    """Stores previews, and anomaly maps by frame id. False, and a line in the log, where Redis would not have them."""
    try:
        _queue(redis.pipeline(transaction=False), names, previews, masks, mask_ttl_s).execute()
    except ResultsError as error:
        log.warning("previews not written: %s", error)
        return False
    return True


async def write_previews_async(redis: AsyncRedis, names: Names, previews: Iterable[Preview], masks: Mapping[str, bytes], *, mask_ttl_s: int) -> bool:
    try:
        await _queue(redis.pipeline(transaction=False), names, previews, masks, mask_ttl_s).execute()
    except ResultsError as error:
        log.warning("previews not written: %s", error)
        return False
    return True


def _queue(pipeline: Any, names: Names, previews: Iterable[Preview], masks: Mapping[str, bytes], ttl_s: int) -> Any:
    for preview in previews:
        fields = {"inspection": preview.inspection.to_json(), "jpeg": preview.jpeg, "map": preview.anomaly_map or b""}
        pipeline.hset(names.preview(preview.line), mapping=fields)
        pipeline.expire(names.preview(preview.line), ttl_s)
    for frame_id, png in masks.items():
        pipeline.set(names.mask(frame_id), png, ex=ttl_s)
    return pipeline


def watched(redis: Redis, names: Names, lines: Sequence[str]) -> set[str]:
    """Those lines that somebody looks at now: only they get previews."""
    found = redis.mget([names.watched(line) for line in lines]) if lines else []
    return {line for line, value in zip(lines, found, strict=True) if value is not None}


async def watched_async(redis: AsyncRedis, names: Names, lines: Sequence[str]) -> set[str]:
    found = await redis.mget([names.watched(line) for line in lines]) if lines else []
    return {line for line, value in zip(lines, found, strict=True) if value is not None}


async def watch(redis: AsyncRedis, names: Names, lines: Iterable[str], *, ttl_s: int) -> None:
    """Asks for previews of these lines; to be repeated well within `ttl_s`."""
    pipeline = redis.pipeline(transaction=False)
    for line in lines:
        pipeline.set(names.watched(line), b"1", ex=ttl_s)
    await pipeline.execute()


async def read_preview(redis: AsyncRedis, names: Names, line: str) -> Preview | None:
    return _preview(await redis.hgetall(names.preview(line)))


async def read_previews(redis: AsyncRedis, names: Names, lines: Sequence[str]) -> dict[str, Preview]:
    """The latest of each line that has one, in one round trip."""
    pipeline = redis.pipeline(transaction=False)
    for line in lines:
        pipeline.hgetall(names.preview(line))
    found = {line: _preview(fields) for line, fields in zip(lines, await pipeline.execute(), strict=True)}
    return {line: preview for line, preview in found.items() if preview is not None}


async def read_mask(redis: AsyncRedis, names: Names, frame_id: str) -> bytes | None:
    """The anomaly map of a frame (PNG, grey), while it lives."""
    found: bytes | None = await redis.get(names.mask(frame_id))
    return found


def _preview(fields: dict[bytes, bytes]) -> Preview | None:
    if b"inspection" not in fields:
        return None
    return Preview(Inspection.from_json(fields[b"inspection"]), fields[b"jpeg"], fields[b"map"] or None)
