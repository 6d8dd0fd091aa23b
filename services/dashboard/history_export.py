"""Pages of history -> CSV text, or a zip in MVTec layout of those that people answered; neither is ever whole in memory."""

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Any

from services.contract.verdict import Answer, Verdict
from services.dashboard.history import Seen
from services.results.archive import Archive, ArchiveError

COLUMNS = (
    *("frame_id", "line", "camera", "session", "sequence", "part_id", "product", "captured_at", "inspected_at", "latency_ms", "outcome"),
    *("decision", "score", "model_version", "calibration_id", "map_kind", "archived_reason", "archived_probability", "error"),
)
SAID = ("verdict", "defect_class", "verdict_by", "verdict_at")
UNNAMED = "defect"
"""Folder of defects that nobody gave a class."""
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


async def csv_of(pages: AsyncIterator[list[Seen]]) -> AsyncIterator[str]:
    """A blind check has `blind` yes, and empty cells for all that the machine said."""
    yield _line((*COLUMNS, "blind", *SAID))
    async for page in pages:
        yield "".join(_line(_cells(seen)) for seen in page)


async def mvtec_of(pages: AsyncIterator[list[Seen]], archive: Archive) -> AsyncIterator[bytes]:
    """`<line>/test/<good or class>/` with masks in `<line>/ground_truth/<class>/`; frames.csv says what each is, missing.csv what could not be had."""
    sink = _Sink()
    kept, missing = [("file", "frame_id", "answer", "defect_class", "given_by")], [("frame_id", "what", "why")]
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as bundle:
        async for page in pages:
            for verdict in (seen.verdict for seen in page if seen.verdict is not None):
                await asyncio.to_thread(_add, bundle, archive, verdict, kept, missing)
                yield sink.taken()
        bundle.writestr("frames.csv", "".join(map(_line, kept)))
        bundle.writestr("missing.csv", "".join(map(_line, missing)))
    yield sink.taken()


def _add(bundle: zipfile.ZipFile, archive: Archive, verdict: Verdict, kept: list[Any], missing: list[Any]) -> None:
    identity, kind = verdict.identity, _folder(verdict)
    stem = f"{identity.camera}_{identity.session}_{identity.sequence}"
    for what, path in (("picture", verdict.frame_path), ("mask", verdict.mask_path)):
        if path is None:
            if verdict.answer is Answer.DEFECT:
                missing.append((verdict.frame_id, what, "nobody drew one"))
            continue
        try:
            content = archive.get(path)
        except ArchiveError as error:
            missing.append((verdict.frame_id, what, str(error)))
            return  # a mask without its picture is of no use
        if what == "mask":
            bundle.writestr(f"{identity.line}/ground_truth/{kind}/{stem}_mask.png", content)
            continue
        name = f"{identity.line}/test/{kind}/{stem}{'.png' if content.startswith(bytes([0x89]) + b'PNG') else '.jpg'}"
        bundle.writestr(name, content)
        kept.append((name, verdict.frame_id, verdict.answer.value, verdict.defect_class or "", verdict.given_by))


def _folder(verdict: Verdict) -> str:
    return "good" if verdict.answer is Answer.GOOD else verdict.defect_class or UNNAMED


class _Sink(io.RawIOBase):
    """What a zip writes, until it is taken."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, chunk: Any) -> int:
        self._chunks.append(bytes(chunk))
        return len(chunk)

    def taken(self) -> bytes:
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks)


def _cells(seen: Seen) -> Iterator[Any]:
    yield from (seen.row[name] for name in COLUMNS)
    yield "yes" if seen.row["hidden"] else ""
    said = seen.verdict
    yield from (said.answer.value, said.defect_class, said.given_by, said.given_at) if said else ("",) * len(SAID)


def _line(cells: Sequence[Any] | Iterator[Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([_cell(cell) for cell in cells])
    return text.getvalue()


def _cell(value: Any) -> str:
    """What a spreadsheet would take for a formula is kept from being one; numbers are numbers."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULAS) else text
