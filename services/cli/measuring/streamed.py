"""Pictures of one line, streamed through the application of a benchmark: as fast as they go, or at a pace; and the inspections that came of them."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from services.bus.reader import read_all
from services.bus.topics import begin_offsets, end_offsets
from services.cli.measuring.ground import Ground
from services.cli.measuring.pipeline import StalledError, clear
from services.cli.measuring.senders import Paced, Sender, paced_camera, sender
from services.contract.inspection import Inspection
from services.contract.settings import Settings
from services.inspection.deploy import deploy, undeploy

log = logging.getLogger(__name__)

WARM_UP_FRAMES = 32
STALLED_AFTER_S = 90.0
POLL_S = 0.05
DEPLOYED_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Stream:
    settings: Settings
    line: str
    pictures: Sequence[bytes]
    """Sent by turns."""

    def capacity(self, seconds: float) -> float:
        """Frames per second while more wait, found in about so long, after a warm-up. Raises StalledError."""
        warm = self._pass("warm", WARM_UP_FRAMES)
        found = self._pass("capacity", max(WARM_UP_FRAMES, round(warm * seconds)))
        log.info("capacity: %.1f frames/s", found)
        return found

    def paced(self, session: str, per_s: float) -> AbstractContextManager[Sender]:
        """Sends from one word (`go`) to the next, and then says the ids of its frames."""
        return sender("camera", paced_camera, self.settings, Paced(session, self.line, per_s=per_s), self.pictures)

    def written(self) -> int:
        """Inspections so far."""
        return sum(end_offsets(self.settings, self.settings.names.inspections).values())

    def wait_written(self, wanted: int) -> None:
        """Raises StalledError."""
        moved_at, seen = time.monotonic(), -1
        while (written := self.written()) < wanted:
            if written != seen:
                moved_at, seen = time.monotonic(), written
            if time.monotonic() - moved_at > STALLED_AFTER_S:
                raise StalledError(f"stream: {wanted - written} frames are left and none moved for {STALLED_AFTER_S:g} s; see the logs of Ray")
            time.sleep(POLL_S)

    def inspections(self, session: str) -> Sequence[Inspection]:
        topic = self.settings.names.inspections
        records = read_all(self.settings, topic, begin_offsets(self.settings, topic), end_offsets(self.settings, topic))
        found = (Inspection.from_json(record.value or b"") for record in records)
        return [one for one in found if one.identity.session == session]

    def _pass(self, session: str, frames: int) -> float:
        with sender("camera", paced_camera, self.settings, Paced(session, self.line, frames=frames), self.pictures) as sending:
            before, began_at = self.written(), time.monotonic()
            sending.go()
            sending.result()
            self.wait_written(before + frames)
            return frames / (time.monotonic() - began_at)


@contextmanager
def application(standing: Ground) -> Iterator[None]:
    """Deployed for the block; of somebody else's Kafka and Ray nothing is left behind."""
    try:
        deploy(standing.settings, wait_s=DEPLOYED_WITHIN_S)
        yield
    finally:
        if not standing.own:
            undeploy(standing.settings)
            clear(standing.settings)
