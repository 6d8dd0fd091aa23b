"""A plant without Kafka, Ray or cameras: synthetic inspections and previews written into a real Redis, archive and SQL as the real parts write them."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from services.contract.inspection import Active, Archived, Calibration, Decision, Inspection, Outcome, Region, Source, Timings
from services.contract.names import FrameId
from services.contract.settings import Settings
from services.inspection.state import ConsumerState
from services.records.migrations import migrate
from services.records.store import Records
from services.results.active import set_active
from services.results.archive import Archive
from services.results.connection import ResultsError, connect
from services.results.live import Batch, LiveWriter
from services.results.pictures import Preview, watched, write_previews
from services.results.sources import SourceState, write_sources

TOPIC_ID = "feed-topic"
CALIBRATION = Calibration(calibration_id="c0ffee12", review=0.4, fail=0.6, map_threshold=0.45)
MODEL = "5f2d" * 16
SIDE = 256


class LiveFeed:
    """`step` makes one part on every running line; `run` steps in a thread until `stop`."""

    def __init__(self, settings: Settings, lines: dict[str, str], *, photograph: Callable[[str, int], np.ndarray] | None = None) -> None:
        self.settings, self.lines, self.silent = settings, lines, set[str]()
        self._redis = connect(settings)
        self._writer = LiveWriter(self._redis, settings.names, live_length=settings.redis.live_length)
        self._archive, self.records = Archive(settings), Records(settings.records_url)
        self._photograph = photograph or plain_part
        self._position, self._sequence = -1, 0
        self._stopping, self._thread = threading.Event(), None

    def prepare(self) -> None:
        migrate(self.settings.records_url)
        for line, name in self.lines.items():
            self.records.add_line(line, name=name, product=f"{name} 12")
            self.records.add_camera(line, "cam1", "synthetic:test")
            set_active(self._redis, self.settings.names, Active(line=line, model_version=MODEL, calibration=CALIBRATION))

    def step(self) -> list[Inspection]:
        """One part a line. Every seventh is NG, every eleventh for review; the lines are out of step."""
        self._sequence += 1
        made = [self._make(line, self._sequence + 3 * number) for number, line in enumerate(self.lines) if line not in self.silent]
        inspections = [inspection for inspection, _, _ in made]
        self._write(inspections)
        looked_at = watched(self._redis, self.settings.names, list(self.lines))
        previews = [Preview(one, jpeg, anomaly_map) for one, jpeg, anomaly_map in made if one.identity.line in looked_at]
        masks = {one.frame_id: anomaly_map for one, _, anomaly_map in made}
        write_previews(self._redis, self.settings.names, previews, masks, mask_ttl_s=self.settings.redis.mask_ttl_s)
        self._write_states()
        return inspections

    def run(self, frames_per_s: float = 4) -> None:
        self._thread = threading.Thread(target=self._loop, args=(1 / frames_per_s,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.records.close()

    def _loop(self, pause_s: float) -> None:
        while not self._stopping.wait(pause_s):
            try:
                self.step()
            except (OSError, ResultsError):
                continue

    def _make(self, line: str, number: int) -> tuple[Inspection, bytes, bytes]:
        decision = Decision.FAIL if number % 7 == 0 else Decision.REVIEW if number % 11 == 0 else Decision.PASS
        picture = self._photograph(line, number)
        heat, region = np.full((64, 64), 18, np.uint8), None
        if decision is not Decision.PASS:
            picture, heat, region = with_defect(picture, number, faint=decision is Decision.REVIEW)
        jpeg, anomaly_map = _encode(".jpg", picture), _encode(".png", heat)
        inspection = self._inspection(line, number, decision, region, picture.shape[:2])
        if decision is not Decision.PASS:
            kept = Archived(reason="flagged", probability=1, frame_path=self._archive.put("frames", jpeg), map_path=self._archive.put("maps", anomaly_map))
            inspection = inspection.model_copy(update={"archived": kept})
        return inspection, jpeg, anomaly_map

    def _inspection(self, line: str, number: int, decision: Decision, region: Region | None, size: tuple[int, int]) -> Inspection:
        now, took = datetime.now(UTC), timedelta(milliseconds=180 + 40 * (number % 5))
        rng = np.random.default_rng([number, len(line)])
        low, high = {Decision.PASS: (0.05, 0.36), Decision.REVIEW: (0.42, 0.58), Decision.FAIL: (0.62, 0.9)}[decision]
        self._position += 1
        return Inspection(
            frame_id=str(FrameId(line, "cam1", "s1", number)),
            outcome=Outcome.INSPECTED,
            source=Source(topic_id=TOPIC_ID, partition=0, offset=self._position),
            timings=Timings(captured_at=now - took, received_at=now - took / 2, decoded_at=now, inferred_at=now, written_at=now),
            score=float(rng.uniform(low, high)),
            decision=decision,
            regions=(region,) if region else (),
            map_kind="full" if region else "coarse",
            width=size[1],
            height=size[0],
            model_version=MODEL,
            calibration_id=CALIBRATION.calibration_id,
        )

    def _write(self, inspections: list[Inspection]) -> None:
        if not inspections:
            return
        last = inspections[-1].source.offset
        self._writer.write(Batch("feed-inspections", 0, last - len(inspections), last, inspections))
        flagged = [one for one in inspections if one.flagged]
        if flagged:
            self.records.flagged.add(flagged)

    def _write_states(self) -> None:
        now = datetime.now(UTC)
        write_sources(
            self._redis,
            self.settings.names,
            {
                (line, "cam1"): SourceState(
                    state="down" if line in self.silent else "up", error="unplugged" if line in self.silent else "", sent=self._sequence, at=now
                )
                for line in self.lines
            },
        )
        state = ConsumerState(rank=0, pid=1, state="running", lag=3, frames_per_s=8, arrivals_per_s=8, at=now)
        self._redis.hset(self.settings.names.consumers, "0", state.model_dump_json())


def plain_part(line: str, number: int) -> np.ndarray:
    """A grey disc on a darker ground, a little elsewhere every time."""
    picture = np.full((SIDE, SIDE, 3), 46, np.uint8)
    centre = (SIDE // 2 + number % 9 - 4, SIDE // 2 + number % 5 - 2)
    cv2.circle(picture, centre, 92, (168, 166, 160), -1, cv2.LINE_AA)
    cv2.circle(picture, centre, 34, (70, 68, 66), -1, cv2.LINE_AA)
    return picture


def with_defect(picture: np.ndarray, number: int, *, faint: bool = False) -> tuple[np.ndarray, np.ndarray, Region]:
    """A scratch, its anomaly map, and the region around it."""
    picture, side = picture.copy(), picture.shape[0]
    rng = np.random.default_rng(number)
    start = rng.integers(side // 4, side // 2, 2)
    end = start + rng.integers(side // 10, side // 4, 2)
    cv2.line(picture, start.tolist(), end.tolist(), (40, 42, 52) if not faint else (120, 120, 122), max(2, side // 90), cv2.LINE_AA)
    heat = np.full((128, 128), 20, np.uint8)
    cv2.line(heat, (start * 128 // side).tolist(), (end * 128 // side).tolist(), 160 if faint else 240, 5, cv2.LINE_AA)
    heat = cv2.GaussianBlur(heat, (9, 9), 0)
    width, height = (end - start).tolist()
    return picture, heat, Region(x=int(start[0]), y=int(start[1]), width=width, height=height, area=width * height, peak=float(heat.max()) / 255)


def _encode(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def wait_for(condition: Callable[[], object], within_s: float = 20, what: str = "condition") -> object:
    """Whatever true value `condition` comes to."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: still not so after {within_s:g} s")
        time.sleep(0.05)
    return found
