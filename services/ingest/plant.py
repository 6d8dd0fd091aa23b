"""The tables of lines and cameras -> running cameras: what somebody adds, changes or removes takes effect within about a second."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.contract.names import Names
from services.ingest.address import PushAddress, parse_source
from services.ingest.camera import Camera, CameraPlan
from services.ingest.errors import SourceAddressError
from services.ingest.outlet import Outlet
from services.ingest.tally import Tally
from services.records.errors import RecordsError
from services.records.store import Camera as CameraRecord
from services.records.store import Line, Records
from services.results.connection import Redis, ResultsError
from services.results.sources import remove_sources, write_sources

log = logging.getLogger(__name__)

CameraKey = tuple[str, str]
FOLLOW_S = 1.0
JOIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Lines and cameras as they were last read."""

    lines: Mapping[str, Line] = field(default_factory=dict)
    cameras: Mapping[CameraKey, CameraRecord] = field(default_factory=dict)

    @classmethod
    def read(cls, records: Records) -> "Layout":
        cameras = {(camera.line, camera.id): camera for camera in records.cameras()}
        lines = {line.id: line for line in records.lines()}
        return cls(lines, {key: camera for key, camera in cameras.items() if key[0] in lines})

    def plans(self) -> dict[CameraKey, CameraPlan]:
        """Of the cameras that are read; pushed pictures come by themselves."""
        return {key: self._plan(camera) for key, camera in self.cameras.items() if not is_pushed(camera.source)}

    def _plan(self, camera: CameraRecord) -> CameraPlan:
        line = self.lines[camera.line]
        return CameraPlan(camera.line, camera.id, camera.source, line.product, line.when_full)


def is_pushed(source: str) -> bool:
    try:
        return isinstance(parse_source(source), PushAddress)
    except SourceAddressError:
        return False  # the camera's own thread says what is wrong with it


class Plant:
    """Keeps one running camera per plan, and tells Redis how they are."""

    def __init__(self, records: Records, redis: Redis, names: Names, outlet: Outlet) -> None:
        self._records, self._redis, self._names, self._outlet = records, redis, names, outlet
        self.layout = Layout()
        self.read_once = threading.Event()
        self._cameras: dict[CameraKey, Camera] = {}
        self._tallies: dict[CameraKey, Tally] = {}
        self._tables, self._live_view = _Health("the tables of lines and cameras"), _Health("the live view")

    def tally(self, key: CameraKey) -> Tally:
        return self._tallies.setdefault(key, Tally())

    def run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            self.follow()
            self.report()
            stopping.wait(FOLLOW_S)
        self._stop(list(self._cameras))

    def follow(self) -> None:
        """Reads the tables and starts, restarts and ends cameras. While the tables cannot be read, all goes on as it was."""
        try:
            self.layout = Layout.read(self._records)
        except RecordsError as error:
            return self._tables.bad(error)
        self._tables.good()
        plans = self.layout.plans()
        self._stop([key for key, camera in self._cameras.items() if key not in plans or not camera.follow(plans[key])])
        for key in plans.keys() - self._cameras.keys():
            self._start(key, plans[key])
        self.read_once.set()

    def report(self) -> None:
        """Best effort: a page that is stale says so by itself."""
        layout = self.layout
        states = {key: self.tally(key).report(paused=layout.lines[key[0]].paused) for key in layout.cameras}
        gone = [key for key in self._tallies if key not in layout.cameras]
        try:
            if states:
                write_sources(self._redis, self._names, states)
            remove_sources(self._redis, self._names, gone)
        except ResultsError as error:
            return self._live_view.bad(error)
        self._live_view.good()
        for key in gone:
            del self._tallies[key]

    def _start(self, key: CameraKey, plan: CameraPlan) -> None:
        self._cameras[key] = Camera(plan, self._outlet, self.tally(key))
        self._cameras[key].start()
        log.info("camera %s/%s started: %s (session=%s)", *key, plan.source, self._cameras[key].session)

    def _stop(self, keys: list[CameraKey]) -> None:
        """Ends them together. The next start of a camera must not overlap the last one, or its frames would mix."""
        cameras = {key: self._cameras.pop(key) for key in keys}
        for camera in cameras.values():
            camera.stop()
        for key, camera in cameras.items():
            camera.join(JOIN_S)
            log.info("camera %s/%s stopped", *key)


class _Health:
    """Says when something goes wrong and when it is well again, not every second."""

    def __init__(self, what: str) -> None:
        self._what, self._well = what, True

    def bad(self, error: Exception) -> None:
        if self._well:
            log.warning("%s: %s; going on without", self._what, error)
        self._well = False

    def good(self) -> None:
        if not self._well:
            log.info("%s: there again", self._what)
        self._well = True
