"""Flagged frames in records and archive, with only the relevant field spelled out, and pictures to answer them with."""

from typing import Any

import cv2
import numpy as np

from services.contract.inspection import Archived, Decision, Inspection
from services.records.audit import Actor
from services.records.store import Records
from services.results.archive import Archive
from tests.builders import MODEL_VERSION, make_calibration, make_inspection

ANNA, BERT, CARL = Actor("anna", "supervisor", "10.0.0.1"), Actor("bert", "supervisor"), Actor("carl", "supervisor")
WIDTH, HEIGHT = 40, 30


def png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


def read(content: bytes) -> np.ndarray:
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


def drawn(width: int = WIDTH, height: int = HEIGHT, *, box: tuple[int, int, int, int] = (5, 6, 8, 4)) -> bytes:
    """A grey mask with one box (x, y, width, height)."""
    x, y, w, h = box
    pixels = np.zeros((height, width), np.uint8)
    pixels[y : y + h, x : x + w] = 255
    return png(pixels)


def hot_map(side: int = 16, *, peak: int = 230) -> bytes:
    """An anomaly map with a hot quarter at the top left."""
    pixels = np.zeros((side, side), np.uint8)
    pixels[: side // 2, : side // 2] = peak
    return png(pixels)


def flag(records: Records, archive: Archive, sequence: int, *, score: float = 0.5, reason: str = "flagged", line: str = "metal", **fields: Any) -> Inspection:
    """In the records: flagged by its score (review from 0.4, fail from 0.7), or a passed one drawn for a blind check."""
    blind = reason == "blind-check"
    kept = Archived(
        reason=reason,  # type: ignore[arg-type]
        probability=0.01 if blind else 1,
        frame_path=archive.put("frames", f"frame {line} {sequence}".encode()),
        map_path=None if fields.pop("no_map", False) else archive.put("maps", fields.pop("map_png", hot_map())),
    )
    decision = Decision.PASS if blind else Decision.FAIL if score >= 0.7 else Decision.REVIEW
    made = make_inspection(sequence, line=line, decision=decision, score=score, archived=kept, width=WIDTH, height=HEIGHT, **fields)
    records.flagged.add([made])
    return made


def add_line(records: Records, line: str = "metal") -> None:
    """With the calibration that judged its frames."""
    records.add_line(line)
    records.add_calibration(line, MODEL_VERSION, make_calibration())
