"""Frames, inspections and calibrations with only the relevant field spelled out; everything else is plausible and fixed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np

from services.contract.frame import Frame
from services.contract.inspection import Active, Archived, Calibration, Decision, Inspection, Outcome, Region, Source, Timings
from services.contract.names import FrameId

TOPIC_ID = "11111111-2222-3333-4444-555555555555"
MODEL_VERSION = "ab" * 32
CAPTURED_AT = datetime(2026, 3, 2, 6, 30, 0, tzinfo=UTC)
"""Frame n was taken n seconds later."""


def make_frame_id(sequence: int = 0, *, line: str = "metal", camera: str = "top", session: str = "s1") -> FrameId:
    return FrameId(line, camera, session, sequence)


def make_jpeg(width: int = 64, height: int = 48, *, shade: int = 128, quality: int = 92) -> bytes:
    """A picture that decodes: one grey with a soft gradient across."""
    pixels = np.clip(shade + np.linspace(-20, 20, width), 0, 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", np.broadcast_to(pixels[None, :, None], (height, width, 3)), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(encoded.tobytes())


def make_frame(sequence: int = 0, *, line: str = "metal", camera: str = "top", session: str = "s1", **fields: Any) -> Frame:
    frame_id = make_frame_id(sequence, line=line, camera=camera, session=session)
    return Frame(**{"frame_id": frame_id, "image": b"\xff\xd8\xff a picture", "captured_at": CAPTURED_AT + timedelta(seconds=sequence), **fields})


def make_calibration(**fields: Any) -> Calibration:
    return Calibration(**{"calibration_id": "c1", "review": 0.4, "fail": 0.7, "map_threshold": 0.5, **fields})


def make_active(line: str = "metal", **fields: Any) -> Active:
    judged_by = {"model_version": MODEL_VERSION, "calibration": make_calibration(), "activated_at": CAPTURED_AT}
    return Active(**{"line": line, **judged_by, **fields})


def make_timings(sequence: int = 0, *, latency_ms: float = 200) -> Timings:
    """Captured, then received, decoded, inferred and written at even steps."""
    captured_at = CAPTURED_AT + timedelta(seconds=sequence)
    steps = [captured_at + timedelta(milliseconds=latency_ms * step / 4) for step in range(1, 5)]
    return Timings(captured_at=captured_at, received_at=steps[0], decoded_at=steps[1], inferred_at=steps[2], written_at=steps[3])


def make_inspection(
    sequence: int = 0,
    *,
    line: str = "metal",
    camera: str = "top",
    session: str = "s1",
    decision: Decision | None = Decision.PASS,
    outcome: Outcome = Outcome.INSPECTED,
    offset: int | None = None,
    partition: int = 0,
    topic_id: str = TOPIC_ID,
    latency_ms: float = 200,
    **fields: Any,
) -> Inspection:
    """Of frame `sequence`, at offset `sequence`. Only an inspected frame has a score and a decision; a flagged one has a region and is archived."""
    judged = _judged(decision) if outcome is Outcome.INSPECTED and decision is not None else {}
    made: dict[str, Any] = {
        "frame_id": str(make_frame_id(sequence, line=line, camera=camera, session=session)),
        "outcome": outcome,
        "source": Source(topic_id=topic_id, partition=partition, offset=sequence if offset is None else offset),
        "timings": make_timings(sequence, latency_ms=latency_ms),
        "width": 640,
        "height": 480,
        **judged,
    }
    return Inspection(**{**made, **fields})


def _judged(decision: Decision) -> dict[str, Any]:
    score = {Decision.PASS: 0.1, Decision.REVIEW: 0.5, Decision.FAIL: 0.9}[decision]
    judged: dict[str, Any] = {"decision": decision, "score": score, "map_kind": "coarse", "model_version": MODEL_VERSION, "calibration_id": "c1"}
    if decision is not Decision.PASS:
        judged |= {"map_kind": "full", "regions": (Region(x=10, y=20, width=30, height=40, area=700, peak=score),)}
        judged |= {"archived": Archived(reason="flagged", probability=1, frame_path="frames/aa/" + "aa" * 32, map_path="maps/bb/" + "bb" * 32)}
    return judged
