"""The live view -> packets for every open page. One hub reads for all; each page only has its own letter box.

Three loops: inspections as they come (one XREAD for all lines), pictures of the lines somebody looks at, and the wall once a second.
When Redis does not answer, the wall says so within a second or two: old values are never shown as new.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from services.contract.inspection import Active, Decision, Inspection
from services.contract.settings import Settings
from services.dashboard import wall as deduce
from services.dashboard.memory import PARTS_KEPT, LineMemory
from services.dashboard.packets import pack
from services.dashboard.spikes import spike
from services.dashboard.store import ResultsError, Store
from services.dashboard.views import Alarm, CameraView, LineView, MinuteView, Part, Totals, WallView
from services.inspection.state import ConsumerState
from services.records.errors import RecordsError
from services.records.store import Camera, Line, Records
from services.results.live import Minute
from services.results.sources import SourceState
from services.review.blind import is_drawn

log = logging.getLogger(__name__)

WALL_S = 1.0
PICTURES_S = 0.1
WATCH_S = 2.0
RECORDS_S = 2.0
CHARTS_S = 5.0
RECOUNT_S = 60.0
ANSWER_S = 1.5
CHART_MINUTES = 60
FLAGGED = 16
SILENT_SOURCE_S = 15.0
AWAY = (ResultsError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Look:
    """What a page looks at: the lines whose pictures it draws, and the one whose parts it lists."""

    pictures: frozenset[str] = frozenset()
    line: str | None = None
    hidden: bool = False


class Viewer:
    """One page's letter box: at most one packet per subject, so a slow browser sees fewer pictures, never older ones."""

    def __init__(self) -> None:
        self.look = Look()
        self._packets: dict[str, bytes] = {}
        self._arrived = asyncio.Event()

    def offer(self, subject: str, packet: bytes) -> None:
        if not self.look.hidden:
            self._packets[subject] = packet
            self._arrived.set()

    async def next(self) -> bytes:
        while not self._packets:
            self._arrived.clear()
            await self._arrived.wait()
        return self._packets.pop(next(iter(self._packets)))


@dataclass(slots=True)
class _Plant:
    """What the hub knows. Lines and cameras are those of the records; the rest is the live view."""

    lines: tuple[Line, ...] = ()
    cameras: tuple[Camera, ...] = ()
    flagged: tuple[Inspection, ...] = ()
    memories: dict[str, LineMemory] = field(default_factory=dict)
    entries: dict[str, str] = field(default_factory=dict)
    minutes: dict[str, dict[int, Minute]] = field(default_factory=dict)
    actives: dict[str, Active] = field(default_factory=dict)
    sources: dict[tuple[str, str], SourceState] = field(default_factory=dict)
    consumers: list[ConsumerState] = field(default_factory=list)

    @property
    def lag(self) -> int | None:
        """Frames that wait; None where no frame consumer says so."""
        return sum(consumer.lag for consumer in self.consumers) if self.consumers else None

    @property
    def line_ids(self) -> list[str]:
        return [line.id for line in self.lines]


class Hub:
    """Reads once, sends to all. `run` until cancelled."""

    def __init__(self, settings: Settings, store: Store, records: Records, *, now: Callable[[], float] = time.time) -> None:
        self._site, self._store, self._records, self._now = settings.site, store, records, now
        self._viewers: set[Viewer] = set()
        self._plant = _Plant()
        self._pictures: dict[str, tuple[str, bytes]] = {}
        self._reason: str | None = "Waiting for the live view"
        self._records_reason = ""
        self._recounted = 0.0

    # Pages come and go

    def join(self) -> Viewer:
        viewer = Viewer()
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)

    def turn(self, viewer: Viewer, look: Look) -> None:
        """A page looks elsewhere; it gets at once what is known."""
        new_lines, new_line = look.pictures - viewer.look.pictures, look.line != viewer.look.line
        back = viewer.look.hidden and not look.hidden
        viewer.look = look
        viewer.offer("wall", self._wall_packet())
        viewer.offer("charts", self._charts_packet())
        for line in look.pictures if back else new_lines:
            if line in self._pictures:
                viewer.offer(f"picture:{line}", self._pictures[line][1])
        if look.line and (new_line or back):
            viewer.offer("parts", self._parts_packet(look.line))

    # What is known

    def wall(self) -> WallView:
        now, plant = self._now(), self._plant
        facts = [self._facts(line) for line in plant.lines]
        if self._reason is not None:
            return self._blank(facts, self._reason)
        lines = tuple(deduce.line_view(one, now, lag=plant.lag) for one in facts)
        totals = deduce.totals(lines, plant.lag)
        return WallView(
            signal=True,
            site=self._site.name,
            time_zone=self._site.time_zone,
            lines=lines,
            totals=totals,
            flagged=tuple(Part.of(one) for one in plant.flagged),
            alarms=(*self._outages(), *deduce.alarms(lines, totals), *self._spikes(lines)),
        )

    def _spikes(self, lines: Sequence[LineView]) -> list[Alarm]:
        now = int(self._now() // 60)
        found = [(line, spike(list(self._plant.minutes.get(line.id, {}).values()), now)) for line in lines if line.state == "live"]
        return [Alarm(line=line.id, text=f"{line.name}: {one.rate:.1%} NG, {one.before:.1%} in the hour before", severity="bad") for line, one in found if one]

    def _outages(self) -> list[Alarm]:
        waits = sorted({what for consumer in self._plant.consumers for what in consumer.waiting_for})
        said = [self._records_reason, f"Inspection waits for {', '.join(waits)}" if waits else ""]
        return [Alarm(text=text) for text in said if text]

    def line(self, line: str) -> LineView | None:
        return next((view for view in self.wall().lines if view.id == line), None)

    def charts(self) -> dict[str, list[MinuteView]]:
        now = self._now()
        return {line: deduce.chart(minutes, now) for line, minutes in self._plant.minutes.items()}

    def parts(self, line: str) -> list[Part]:
        """The latest, oldest first, without blind checks: what the machine said of them is for nobody to see yet."""
        memory = self._plant.memories.get(line)
        return [Part.of(one) for one in memory.parts if not is_drawn(one)] if memory else []

    def _facts(self, line: Line) -> deduce.Facts:
        plant = self._plant
        cameras = tuple(self._camera(one) for one in plant.cameras if one.line == line.id)
        memory = plant.memories.get(line.id) or LineMemory()
        live = (plant.actives.get(line.id), plant.minutes.get(line.id, {}))
        return deduce.Facts(line.id, line.name, line.product, line.paused, cameras, memory, *live, line.promote_automatically)

    def _camera(self, camera: Camera) -> CameraView:
        state = self._plant.sources.get((camera.line, camera.id))
        if state is None or self._now() - state.at.timestamp() > SILENT_SOURCE_S:
            return CameraView(id=camera.id, source=camera.source)
        return CameraView(id=camera.id, source=camera.source, state=state.state, error=state.error, sent=state.sent, dropped=state.dropped)

    def _blank(self, facts: Sequence[deduce.Facts], reason: str) -> WallView:
        """Names and nothing else: whatever is remembered is old."""
        lines = tuple(LineView(id=one.id, name=one.name, product=one.product, state="no-signal", reason=reason) for one in facts)
        totals = Totals(lines=len(lines), lines_up=0, parts_per_min=0)
        return WallView(signal=False, reason=reason, site=self._site.name, time_zone=self._site.time_zone, lines=lines, totals=totals)

    # Packets

    def _wall_packet(self) -> bytes:
        return pack("wall", self.wall().model_dump(mode="json"))

    def _charts_packet(self) -> bytes:
        return pack("charts", {"lines": {line: [minute.model_dump() for minute in minutes] for line, minutes in self.charts().items()}})

    def _parts_packet(self, line: str) -> bytes:
        return pack("parts", {"line": line, "parts": [part.model_dump(mode="json") for part in self.parts(line)]})

    # Loops

    async def run(self) -> None:
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._repeat(self._read_records, RECORDS_S))
            loops.create_task(self._repeat(self._follow, 0))
            loops.create_task(self._repeat(self._show_pictures, PICTURES_S))
            loops.create_task(self._repeat(self._watch, WATCH_S))
            loops.create_task(self._repeat(self._count, CHARTS_S))
            loops.create_task(self._repeat(self._show_wall, WALL_S))

    async def _repeat(self, step: Callable[[], Awaitable[None]], pause_s: float) -> None:
        """A step that fails is logged and tried again: the dashboard outlives whatever it reads."""
        while True:
            try:
                await step()
                await asyncio.sleep(pause_s)
            except AWAY as error:
                log.debug("%s: %s", step.__name__, error)
                await asyncio.sleep(max(pause_s, 1.0))
            except Exception:
                log.exception("%s failed", step.__name__)
                await asyncio.sleep(max(pause_s, 1.0))

    async def _read_records(self) -> None:
        """Slow changes, from SQL: lines, cameras, flagged parts."""
        try:
            lines, cameras, flagged = await asyncio.to_thread(
                lambda: (self._records.lines(), self._records.cameras(), self._records.flagged.newest(3 * FLAGGED))
            )
        except RecordsError as error:
            self._records_reason = f"The records do not answer: {error}"
            return
        shown = [one for one in flagged if one.decision in (Decision.REVIEW, Decision.FAIL)][:FLAGGED]
        self._plant.lines, self._plant.cameras, self._plant.flagged, self._records_reason = lines, cameras, tuple(shown), ""

    async def _follow(self) -> None:
        """Inspections as they come. After an outage everything is read again: Redis may have been emptied meanwhile."""
        plant = self._plant
        try:
            fresh = [line for line in plant.line_ids if line not in plant.entries]
            for line in fresh:
                await self._remember(line)
            self._show_parts(set(fresh))
            known = {line: plant.entries[line] for line in plant.line_ids if line in plant.entries}
            arrived = await self._store.tail(known) if known else await asyncio.sleep(0.3, [])
        except AWAY:
            plant.entries.clear()
            raise
        for entry in arrived:
            plant.entries[entry.line] = entry.entry_id
            plant.memories[entry.line].add(entry.inspection)
        self._show_parts({entry.line for entry in arrived})

    async def _remember(self, line: str) -> None:
        entries = await self._store.latest(line, 4 * PARTS_KEPT)
        memory = LineMemory()
        for entry in reversed(entries):
            memory.add(entry.inspection)
        self._plant.memories[line] = memory
        self._plant.entries[line] = entries[0].entry_id if entries else "0-0"

    def _show_parts(self, lines: set[str]) -> None:
        for line in lines & {viewer.look.line for viewer in self._viewers if viewer.look.line}:
            packet = self._parts_packet(line)
            for viewer in self._viewers:
                if viewer.look.line == line:
                    viewer.offer("parts", packet)

    async def _show_pictures(self) -> None:
        lines = sorted(self._watched())
        found = await self._store.previews(lines) if lines else {}
        for line, preview in found.items():
            inspection = preview.inspection
            if is_drawn(inspection) or (line in self._pictures and self._pictures[line][0] == inspection.frame_id):
                continue
            head = {"line": line, "part": Part.of(inspection).model_dump(mode="json")}
            packet = pack("picture", head, jpeg=preview.jpeg, anomaly_map=preview.anomaly_map or b"")
            self._pictures[line] = (inspection.frame_id, packet)
            for viewer in self._viewers:
                if line in viewer.look.pictures:
                    viewer.offer(f"picture:{line}", packet)

    def _watched(self) -> set[str]:
        """Only lines that exist: a page may ask for anything."""
        looked_at = {line for viewer in self._viewers if not viewer.look.hidden for line in viewer.look.pictures}
        return looked_at.intersection(self._plant.line_ids)

    async def _watch(self) -> None:
        if lines := self._watched():
            await self._store.watch(lines)

    async def _count(self) -> None:
        """Counters of the last hour. Only the newest minutes move; all are read again from time to time, since they may be rebuilt."""
        now = self._now()
        until, whole = int(now // 60), now - self._recounted > RECOUNT_S
        for line in self._plant.line_ids:
            kept = {} if whole else self._plant.minutes.get(line, {})
            since = until - CHART_MINUTES if not kept else until - deduce.RATE_MINUTES
            fresh = {minute.minute: minute for minute in await self._store.minutes(line, since, until)}
            self._plant.minutes[line] = {minute: value for minute, value in {**kept, **fresh}.items() if minute >= until - CHART_MINUTES}
        self._recounted = now if whole else self._recounted
        self._offer_all("charts", self._charts_packet)

    async def _show_wall(self) -> None:
        with suppress(*AWAY):
            async with asyncio.timeout(ANSWER_S):
                await self._read_states()
                self._reason = None if not self._missing_memories() else "Reading the live view"
                self._offer_all("wall", self._wall_packet)
                return
        self._reason = "The live view (Redis) does not answer"
        self._offer_all("wall", self._wall_packet)

    async def _read_states(self) -> None:
        plant = self._plant
        plant.actives = await self._store.actives(plant.line_ids)
        plant.sources = await self._store.sources([(camera.line, camera.id) for camera in plant.cameras])
        plant.consumers = await self._store.consumers()
        await self._store.ping()

    def _missing_memories(self) -> bool:
        return any(line not in self._plant.entries for line in self._plant.line_ids)

    def _offer_all(self, subject: str, packet: Callable[[], bytes]) -> None:
        if self._viewers:
            made = packet()
            for viewer in self._viewers:
                viewer.offer(subject, made)
