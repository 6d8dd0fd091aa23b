"""Inspections with only the relevant field spelled out."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.contract.inspection import Decision, Inspection, Outcome, Source, Timings

NOW = 1_800_000_000.0


def inspection(number: int = 1, *, line: str = "bolts", ago_s: float = 0, latency_ms: float = 200, **fields: Any) -> Inspection:
    """Inspected and passed, written `ago_s` before NOW."""
    written = datetime.fromtimestamp(NOW - ago_s, UTC)
    defaults: dict[str, Any] = {"outcome": Outcome.INSPECTED, "decision": Decision.PASS, "score": 0.1, "width": 100, "height": 80}
    return Inspection(
        frame_id=f"{line}/cam1/s1/{number}",
        source=Source(topic_id="t1", partition=0, offset=number),
        timings=Timings(captured_at=written - timedelta(milliseconds=latency_ms), received_at=written, written_at=written),
        **{**defaults, **fields},
    )
