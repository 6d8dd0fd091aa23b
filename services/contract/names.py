"""Every topic, consumer group, Redis key, deployment and identity, each spelled once."""

import re
from dataclasses import dataclass
from typing import Self

ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,39}$"
FRAME_CONSUMER = "FrameConsumer"
INSPECTOR = "Inspector"


class InvalidIdError(ValueError):
    """An id that is not 1-40 characters of a-z, 0-9 and '-', starting with a letter or a digit."""


def checked_id(value: str, what: str) -> str:
    if not re.match(ID_PATTERN, value) or value.endswith("\n"):
        raise InvalidIdError(f"{what}: expected 1-40 characters of a-z, 0-9 and '-', starting with a letter or a digit, got {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class FrameId:
    """line/camera/session/sequence: made by the producer, so that sending a frame again cannot make a second one."""

    line: str
    camera: str
    session: str
    sequence: int

    def __post_init__(self) -> None:
        for what in ("line", "camera", "session"):
            checked_id(getattr(self, what), what)
        if self.sequence < 0:
            raise InvalidIdError(f"sequence: expected a number >= 0, got {self.sequence}")

    def __str__(self) -> str:
        return f"{self.line}/{self.camera}/{self.session}/{self.sequence}"

    @property
    def camera_key(self) -> str:
        """The Kafka key: frames of one camera stay in order."""
        return f"{self.line}/{self.camera}"

    @classmethod
    def parse(cls, text: str) -> Self:
        parts = text.split("/")
        if len(parts) != 4 or not parts[3].isdecimal():
            raise InvalidIdError(f"frame id: expected line/camera/session/sequence, got {text!r}")
        return cls(parts[0], parts[1], parts[2], int(parts[3]))


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one installation; a benchmark runs beside it under a prefix of its own, such as `bench-`."""

    prefix: str = ""

    @property
    def frames(self) -> str:
        return f"{self.prefix}frames"

    @property
    def dead_letter(self) -> str:
        return f"{self.prefix}frames.dead-letter"

    @property
    def inspections(self) -> str:
        return f"{self.prefix}inspections"

    @property
    def verdicts(self) -> str:
        return f"{self.prefix}verdicts"

    @property
    def inspection_group(self) -> str:
        return f"{self.prefix}inspection"

    @property
    def live_group(self) -> str:
        """The recorder's group that writes the live view."""
        return f"{self.prefix}recorder-live"

    @property
    def records_group(self) -> str:
        """The recorder's group that writes SQL."""
        return f"{self.prefix}recorder-records"

    @property
    def history_group(self) -> str:
        """The recorder's group that writes the history."""
        return f"{self.prefix}recorder-history"

    @property
    def application(self) -> str:
        """The Ray Serve application."""
        return f"{self.prefix}loupe"

    def live(self, line: str) -> str:
        """Stream of a line's latest inspections, capped."""
        return f"{self.prefix}live:{line}"

    def count(self, line: str) -> str:
        """Hash of a line's totals: one field per outcome, decision, and truth."""
        return f"{self.prefix}count:{line}"

    def count_minute(self, line: str, minute: int) -> str:
        """The same hash for one minute (Unix time // 60), with a time to live."""
        return f"{self.prefix}count:{line}:{minute}"

    def ledger(self, topic_id: str) -> str:
        """Hash of outcomes of all lines for one incarnation of the frames topic."""
        return f"{self.prefix}ledger:{topic_id}"

    @property
    def written(self) -> str:
        """Hash topic id/partition -> highest source offset in the live view; gone means Redis was emptied."""
        return f"{self.prefix}written"

    @staticmethod
    def written_field(topic_id: str, partition: int) -> str:
        return f"{topic_id}/{partition}"

    def mask(self, frame_id: str) -> str:
        """PNG of the anomaly map (grey, 0..255), with a time to live."""
        return f"{self.prefix}mask:{frame_id}"

    def preview(self, line: str) -> str:
        """Hash inspection (JSON), jpeg (at most 640 px wide), map (PNG) of one and the same latest frame, while somebody watches."""
        return f"{self.prefix}preview:{line}"

    def watched(self, line: str) -> str:
        """Lives while somebody looks at a line."""
        return f"{self.prefix}watched:{line}"

    def active(self, line: str) -> str:
        """ONE value: what judges this line now (model version and calibration together)."""
        return f"{self.prefix}active:{line}"

    @property
    def standby(self) -> str:
        """Sorted set of model versions that every Inspector replica shall hold, by the moment (Redis' own clock) until which."""
        return f"{self.prefix}standby"

    def on_standby(self, version: str) -> str:
        """Hash replica id -> what came of loading and testing this version there (JSON), with a time to live."""
        return f"{self.prefix}standby:{version}"

    def holding(self, replica: str) -> str:
        """Model versions that an Inspector replica has loaded (JSON list), with a time to live."""
        return f"{self.prefix}holding:{replica}"

    def source(self, line: str, camera: str) -> str:
        """Hash of a camera's state as ingest sees it: state, error, sent, dropped, at."""
        return f"{self.prefix}source:{line}:{camera}"

    @property
    def consumers(self) -> str:
        """Hash rank -> state of a frame consumer (JSON: lag, frames per second, what it waits for), for the pages and the scaling policy."""
        return f"{self.prefix}consumers"

    @property
    def history(self) -> str:
        """How the writing of the history goes (JSON), with a time to live."""
        return f"{self.prefix}history"
