"""A plant with a past: inspections in Parquet, flagged ones in SQL with their pictures, as the recorder would have left them."""

from datetime import datetime, timedelta

import cv2
import numpy as np

from services.contract.batch import Batch
from services.contract.inspection import Archived, Decision, Inspection, Outcome, Source, Timings
from services.contract.names import FrameId
from services.contract.settings import Settings
from services.contract.verdict import Answer
from services.history.catalog import Catalog
from services.history.writer import HistoryWriter
from services.records.audit import Actor
from services.records.database import Database
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.verdicts import Said
from tests.live_feed import CALIBRATION, MODEL, LiveFeed, plain_part, with_defect

LINES = {"bolts": "Bolts", "nuts": "Nuts"}
BLIND = 5
"""Number of the passed part that is drawn for a blind check."""
BERT = Actor("bert", "supervisor")


class HistoryPlant:
    def __init__(self, settings: Settings) -> None:
        self.settings, self.failed, self.answered, self.blind = settings, 0, "", ""
        feed = LiveFeed(settings, LINES)
        feed.prepare()
        feed.stop()
        self._catalog, self._archive, self._records = Catalog(settings.history_path), Archive(settings), Records(settings.records_url)

    def close(self) -> None:
        self._catalog.close()
        self._records.close()

    def fill(self, count: int, *, until: datetime, step: timedelta = timedelta(minutes=7)) -> None:
        """Every seventh is NG, every eleventh for review; some of them answered, one drawn for a blind check."""
        made = [self._made(number, until - step * (count - 1 - number)) for number in range(count)]
        HistoryWriter(self._catalog, min_free_mb=0).write(Batch("past", 0, -1, count - 1, made))
        self._records.flagged.add([one for one in made if one.flagged])
        self._answer([one for one in made if one.decision is Decision.FAIL][::2])

    def _answer(self, inspections: list[Inspection]) -> None:
        database = Database(self.settings.records_url)
        desk = Desk.of(self.settings, database, self._archive)
        for number, one in enumerate(inspections):
            desk.verdicts.give(one.frame_id, Said(answer=Answer.GOOD if number % 3 == 2 else Answer.DEFECT), BERT)
            self.answered = one.frame_id
        database.close()

    def _made(self, number: int, moment: datetime) -> Inspection:
        line = list(LINES)[number % len(LINES)]
        decision = Decision.FAIL if number % 7 == 0 else Decision.REVIEW if number % 11 == 0 else Decision.PASS
        picture, heat, region = with_defect(plain_part(line, number), number, faint=decision is Decision.REVIEW)
        flagged, drawn = decision is not Decision.PASS, number == BLIND
        low, high = {Decision.PASS: (0.05, 0.36), Decision.REVIEW: (0.42, 0.58), Decision.FAIL: (0.62, 0.9)}[decision]
        inspection = Inspection(
            frame_id=str(FrameId(line, "cam1", "s1", number)),
            outcome=Outcome.INSPECTED,
            source=Source(topic_id="past-frames", partition=0, offset=number),
            timings=Timings(captured_at=moment - timedelta(milliseconds=210), received_at=moment, written_at=moment),
            part_id=f"p-{1000 + number}",
            product=f"{LINES[line]} 12",
            score=float(np.random.default_rng(number).uniform(low, high)),
            decision=decision,
            regions=(region,) if flagged else (),
            map_kind="full" if flagged else "coarse",
            width=picture.shape[1],
            height=picture.shape[0],
            model_version=MODEL,
            calibration_id=CALIBRATION.calibration_id,
            archived=self._kept(picture if flagged else plain_part(line, number), heat, drawn=drawn) if flagged or drawn else None,
        )
        self.failed += decision is Decision.FAIL
        self.blind = inspection.frame_id if drawn else self.blind
        return inspection

    def _kept(self, picture: np.ndarray, heat: np.ndarray, *, drawn: bool) -> Archived:
        frame = self._archive.put("frames", cv2.imencode(".jpg", picture)[1].tobytes())
        mapped = self._archive.put("maps", cv2.imencode(".png", heat)[1].tobytes())
        return Archived(reason="blind-check" if drawn else "flagged", probability=0.01 if drawn else 1, frame_path=frame, map_path=mapped)
