"""An inspection <-> a row of Parquet. Columns are only ever added, so that older files can still be read beside newer ones."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date
from typing import Any

import pyarrow as pa

from services.contract.inspection import Archived, Inspection, Region, Source, Timings

MOMENT = pa.timestamp("us", tz="UTC")
REGIONS = pa.list_(pa.struct([(name, pa.float32() if name == "peak" else pa.int32()) for name in Region.model_fields]))
SCHEMA = pa.schema(
    [
        ("frame_id", pa.string()),
        ("line", pa.string()),
        ("camera", pa.string()),
        ("session", pa.string()),
        ("sequence", pa.int64()),
        ("part_id", pa.string()),
        ("product", pa.string()),
        ("captured_at", MOMENT),
        ("received_at", MOMENT),
        ("inspected_at", MOMENT),
        ("latency_ms", pa.float64()),
        ("outcome", pa.string()),
        ("decision", pa.string()),
        ("score", pa.float64()),
        ("model_version", pa.string()),
        ("calibration_id", pa.string()),
        ("map_kind", pa.string()),
        ("regions", REGIONS),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("archived_reason", pa.string()),
        ("archived_probability", pa.float64()),
        ("frame_path", pa.string()),
        ("map_path", pa.string()),
        ("truth", pa.string()),
        ("error", pa.string()),
        ("source_topic_id", pa.string()),
        ("source_partition", pa.int32()),
        ("source_offset", pa.int64()),
    ]
)
SAME = ("frame_id", "part_id", "product", "latency_ms", "score", "model_version", "calibration_id", "map_kind", "width", "height", "truth", "error")


def day_of(inspection: Inspection) -> date:
    """Of the inspection, not the camera's clock, in UTC: days do not change their length and follow no plant's time zone."""
    return inspection.timings.written_at.astimezone(UTC).date()


def table_of(inspections: Sequence[Inspection]) -> pa.Table:
    return pa.Table.from_pylist([_row(one) for one in inspections], schema=SCHEMA)


def inspection_of(row: Mapping[str, Any]) -> Inspection:
    """All that the row kept; moments between receiving and writing are not among it."""
    return Inspection(
        **{name: row[name] for name in SAME if name != "latency_ms"},
        outcome=row["outcome"],
        decision=row["decision"],
        source=Source(topic_id=row["source_topic_id"], partition=row["source_partition"], offset=row["source_offset"]),
        timings=Timings(captured_at=row["captured_at"], received_at=row["received_at"], written_at=row["inspected_at"]),
        regions=tuple(Region(**one) for one in row["regions"] or ()),
        archived=_archived(row),
    )


def _row(inspection: Inspection) -> dict[str, Any]:
    identity, timings, source, archived = inspection.identity, inspection.timings, inspection.source, inspection.archived
    return {
        **{name: getattr(inspection, name) for name in SAME},
        "line": identity.line,
        "camera": identity.camera,
        "session": identity.session,
        "sequence": identity.sequence,
        "captured_at": timings.captured_at,
        "received_at": timings.received_at,
        "inspected_at": timings.written_at,
        "outcome": inspection.outcome.value,
        "decision": inspection.decision.value if inspection.decision else None,
        "regions": [one.model_dump() for one in inspection.regions],
        "archived_reason": archived.reason if archived else None,
        "archived_probability": archived.probability if archived else None,
        "frame_path": archived.frame_path if archived else None,
        "map_path": archived.map_path if archived else None,
        "source_topic_id": source.topic_id,
        "source_partition": source.partition,
        "source_offset": source.offset,
    }


def _archived(row: Mapping[str, Any]) -> Archived | None:
    if row["archived_reason"] is None or row["frame_path"] is None:
        return None
    return Archived(reason=row["archived_reason"], probability=row["archived_probability"], frame_path=row["frame_path"], map_path=row["map_path"])
