"""The two stores of inspections behind one shape: live view and records."""

from services.contract.inspection import Inspection
from services.records.errors import RecordsError
from services.records.store import Positions, Records
from services.results.connection import ResultsError
from services.results.live import Batch, LiveWriter


class LiveSink:
    """Everything, into Redis."""

    failures: tuple[type[Exception], ...] = (ResultsError,)

    def __init__(self, writer: LiveWriter) -> None:
        self._writer = writer

    def position(self, topic_id: str, partition: int) -> int:
        return self._writer.position(topic_id, partition)

    def write(self, batch: Batch) -> None:
        self._writer.write(batch)


class RecordsSink:
    """What was flagged, into SQL."""

    failures: tuple[type[Exception], ...] = (RecordsError,)

    def __init__(self, records: Records) -> None:
        self._records = records

    def position(self, topic_id: str, partition: int) -> int:
        return self._records.position(topic_id, partition)

    def write(self, batch: Batch) -> None:
        frames = {(one.source.topic_id, one.source.partition): one.source.offset for one in batch.inspections}
        positions = Positions({(batch.topic_id, batch.partition): batch.after}, frames)
        self._records.write_flagged(flagged(batch), positions)


def flagged(batch: Batch) -> list[Inspection]:
    return [one for one in batch.inspections if one.flagged]
