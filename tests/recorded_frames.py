"""What a line without a model leaves behind, as consumer and recorder would: recorded frames in the history, their pictures in the archive."""

from collections.abc import Callable
from datetime import datetime, timedelta

import cv2
import numpy as np

from services.contract.batch import Batch
from services.contract.inspection import Archived, Outcome
from services.contract.settings import Settings
from services.history.catalog import Catalog
from services.history.writer import HistoryWriter
from services.results.archive import Archive
from tests.builders import make_inspection, make_timings

Photograph = Callable[[int], np.ndarray]


def shaded(number: int) -> np.ndarray:
    return np.full((48, 64, 3), 60 + 2 * number, np.uint8)


def record_frames(settings: Settings, line: str, count: int, *, first_at: datetime, photograph: Photograph = shaded, paused: int = 0) -> list[str]:
    """Ids of the frames that have a picture, oldest first; so many more came while the line was paused, and have none."""
    archive, catalog, made = Archive(settings), Catalog(settings.history_path), []
    for number in range(count + paused):
        moment = first_at + timedelta(seconds=number)
        timings = make_timings().model_copy(update={"captured_at": moment, "received_at": moment, "written_at": moment})
        path = archive.put("frames", bytes(cv2.imencode(".jpg", photograph(number))[1]))
        kept = Archived(reason="recorded", probability=1, frame_path=path) if number < count else None
        made.append(make_inspection(number, line=line, topic_id=line, outcome=Outcome.RECORDED, timings=timings, archived=kept, part_id=f"p{number}"))
    HistoryWriter(catalog, min_free_mb=0).write(Batch(line, 0, -1, len(made) - 1, made))
    catalog.close()
    return [one.frame_id for one in made[:count]]
