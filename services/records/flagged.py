"""Inspections -> rows of those that are flagged, and how far the topic was read: what the recorder writes and the review begins from."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.contract.batch import NOWHERE, Batch, PositionMovedError, Wrote
from services.contract.inspection import Inspection
from services.records.database import Database, insert_missing
from services.records.models import InspectionRow, WrittenRow


class Flagged:
    """A store of the recorder's, and all that is asked of it afterwards. Raises RecordsError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, batch: Batch) -> Wrote:
        """One transaction: those of the batch that are flagged, and how far was read. The first record of a frame counts."""
        with self._database.writing() as session:
            _advance(session, batch)
            first = _first_records(session, batch.inspections)
            _add(session, [one for one in first if one.flagged])
            return Wrote(len(first), len(batch.inspections) - len(first))

    def position(self, topic_id: str, partition: int) -> int:
        """The highest offset written; -1 for none."""
        with self._database.reading() as session:
            row = session.get(WrittenRow, (topic_id, partition))
            return NOWHERE if row is None else row.offset

    def add(self, flagged: Sequence[Inspection]) -> None:
        """Those that are there already stay as they are."""
        with self._database.writing() as session:
            _add(session, flagged)

    def newest(self, limit: int = 50, *, line: str | None = None) -> tuple[Inspection, ...]:
        query = select(InspectionRow.record).order_by(InspectionRow.written_at.desc(), InspectionRow.frame_id.desc()).limit(limit)
        if line is not None:
            query = query.where(InspectionRow.line_id == line)
        with self._database.reading() as session:
            return tuple(Inspection.from_json(record.encode()) for record in session.scalars(query))

    def of(self, frame_id: str) -> Inspection | None:
        with self._database.reading() as session:
            row = session.get(InspectionRow, frame_id)
            return None if row is None else Inspection.from_json(row.record.encode())

    def count(self, line: str | None = None) -> int:
        query = select(func.count()).select_from(InspectionRow)
        with self._database.reading() as session:
            return session.scalar(query if line is None else query.where(InspectionRow.line_id == line)) or 0


def _add(session: Session, flagged: Sequence[Inspection]) -> None:
    insert_missing(session, InspectionRow, [_row(one) for one in flagged])


def _advance(session: Session, batch: Batch) -> None:
    position = _position(session, batch.topic_id, batch.partition)
    if position.offset != batch.before:
        raise PositionMovedError(position.offset, batch.before)
    position.offset = batch.after


def _first_records(session: Session, inspections: Sequence[Inspection]) -> list[Inspection]:
    """Those above the highest source offset of their frames partition, which they raise."""
    places = {(one.source.topic_id, one.source.partition) for one in inspections}
    rows = {place: _position(session, *place) for place in places}
    high = {place: row.offset for place, row in rows.items()}  # a row's attribute costs more than all else here
    first = []
    for one in inspections:
        place = (one.source.topic_id, one.source.partition)
        if one.source.offset > high[place]:
            high[place] = one.source.offset
            first.append(one)
    for place, row in rows.items():
        row.offset = high[place]
    return first


def _position(session: Session, topic_id: str, partition: int) -> WrittenRow:
    row = session.get(WrittenRow, (topic_id, partition))
    if row is None:
        row = WrittenRow(topic_id=topic_id, partition=partition, offset=NOWHERE)
        session.add(row)
        session.flush()
    return row


def _row(inspection: Inspection) -> dict[str, Any]:
    identity, archived = inspection.identity, inspection.archived
    return {
        "frame_id": inspection.frame_id,
        "line_id": identity.line,
        "camera_id": identity.camera,
        "outcome": inspection.outcome.value,
        "decision": inspection.decision.value if inspection.decision else None,
        "score": inspection.score,
        "model_version": inspection.model_version,
        "calibration_id": inspection.calibration_id,
        "captured_at": inspection.timings.captured_at,
        "written_at": inspection.timings.written_at,
        "reason": archived.reason if archived else None,
        "probability": archived.probability if archived else None,
        "frame_path": archived.frame_path if archived else None,
        "map_path": archived.map_path if archived else None,
        "record": inspection.to_json().decode(),
    }
