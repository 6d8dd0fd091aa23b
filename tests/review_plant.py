"""A plant whose queue of reviews holds pictures with scratches, for pages that look at it: the dashboard's own process over a real archive and SQL."""

from datetime import UTC, datetime, timedelta

import cv2
import httpx
import numpy as np

from services.contract.inspection import Archived, Decision, Inspection, Outcome, Source, Timings
from services.contract.names import FrameId
from services.contract.settings import Settings
from services.records.accounts import Role
from services.records.database import Database
from services.records.migrations import migrate
from services.records.reviews import Reviews
from services.records.store import Records
from services.results.archive import Archive
from tests.live_feed import CALIBRATION, MODEL, plain_part, with_defect
from tests.people import TEST, bearer

CLASSES = {"scratch": "Scratch", "dent": "Dent"}


class ReviewPlant:
    """Lines with pictures to be answered; `settings` name the Redis and the port of a dashboard that is started beside it."""

    def __init__(self, settings: Settings) -> None:
        migrate(settings.records_url)
        self.settings, self.records, self._archive = settings, Records(settings.records_url), Archive(settings)

    def close(self) -> None:
        self.records.close()

    def add_line(self, line: str, name: str) -> None:
        self.records.add_line(line, name=name)
        self.records.add_camera(line, "cam1", "synthetic:test")
        self.records.add_calibration(line, MODEL, CALIBRATION)
        database = Database(self.settings.records_url)
        Reviews(database).set_defect_classes(line, CLASSES, by=TEST)
        database.close()

    def flag(self, line: str, number: int, *, score: float = 0.7, blind: bool = False) -> str:
        """A scratched part in the queue, or a passed one drawn for a blind check; returns its frame id."""
        picture, heat, _ = with_defect(plain_part(line, number), number)
        return self.add(line, number, picture, heat, score=score, blind=blind)

    def add(self, line: str, number: int, picture: np.ndarray, heat: np.ndarray, *, score: float, blind: bool = False) -> str:
        kept = Archived(
            reason="blind-check" if blind else "flagged",
            probability=0.01 if blind else 1,
            frame_path=self._archive.put("frames", _encode(".jpg", picture)),
            map_path=self._archive.put("maps", _encode(".png", heat)),
        )
        made = datetime.now(UTC) - timedelta(minutes=number)
        inspection = Inspection(
            frame_id=str(FrameId(line, "cam1", "s1", number)),
            outcome=Outcome.INSPECTED,
            source=Source(topic_id=f"topic-of-{line}", partition=0, offset=number),
            timings=Timings(captured_at=made, received_at=made, written_at=made),
            score=score,
            decision=Decision.PASS if blind else Decision.FAIL if score >= CALIBRATION.fail else Decision.REVIEW,
            map_kind="full",
            width=picture.shape[1],
            height=picture.shape[0],
            model_version=MODEL,
            calibration_id=CALIBRATION.calibration_id,
            archived=kept,
        )
        self.records.flagged.add([inspection])
        return inspection.frame_id

    def client(self, name: str, role: Role = Role.SUPERVISOR) -> httpx.Client:
        """Somebody else, over REST."""
        base = f"http://127.0.0.1:{self.settings.dashboard.port}/api/v1/review"
        return httpx.Client(base_url=base, headers=bearer(self.settings, role, name), trust_env=False)


def _encode(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()
