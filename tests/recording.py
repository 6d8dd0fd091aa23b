"""The recorder as a process of its own, and inspections for it to record: as a frame consumer writes them, some of them twice."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from services.bus import topics
from services.bus.publisher import KafkaPublisher
from services.contract.inspection import Decision, Inspection, Timings
from services.contract.settings import Settings
from services.records.errors import RecordsUnreachableError
from services.records.store import Records
from services.results.connection import connect_async
from services.results.live import Counts, Ledger, LiveReader
from tests.builders import make_inspection
from tests.endless import Endless

ROOT = Path(__file__).parent.parent
LINES = ("bolts", "nuts", "plates", "rings")
FLAGGED_EVERY = 10
WITHIN_S = 120
"""More than a process needs to start on a machine that is busy with something else."""


@dataclass
class Recording:
    """What was written to `inspections`, and what the stores say of it."""

    settings: Settings
    frames_topic_id: str
    publisher: KafkaPublisher
    sent: int = 0
    _next: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, count: int, *, repeat: int = 0) -> None:
        """`count` new frames over all partitions; the last `repeat` of each come again, as after a rebalance."""
        written = [
            self.publisher.send(self.settings.names.inspections, one.to_json(), key=None, partition=one.source.partition, wait_s=60)
            for one in self._made(count, repeat)
        ]
        for future in written:
            future.result(60)
        with self._lock:
            self.sent += count

    def _made(self, count: int, repeat: int) -> Iterator[Inspection]:
        each = count // len(LINES)
        for partition, line in enumerate(LINES):
            start = self._next.get(partition, 0)
            self._next[partition] = start + each
            made = [self._inspection(line, partition, offset) for offset in range(start, start + each)]
            yield from made
            yield from made[len(made) - repeat :]

    def _inspection(self, line: str, partition: int, offset: int) -> Inspection:
        decision = Decision.FAIL if offset % FLAGGED_EVERY == 0 else Decision.PASS
        now = datetime.now(UTC)
        timings = Timings(captured_at=now - timedelta(milliseconds=250), received_at=now, written_at=now)
        return make_inspection(offset, line=line, partition=partition, topic_id=self.frames_topic_id, decision=decision, timings=timings, truth="good")

    def made_anew(self, topic_id: str) -> None:
        """Further frames are of another incarnation of their topic."""
        self.frames_topic_id, self.sent = topic_id, 0
        self._next.clear()

    @property
    def flagged(self) -> int:
        return sum(-(-offset // FLAGGED_EVERY) for offset in self._next.values())

    def ledger(self) -> Ledger:
        return asyncio.run(self._read_ledger())

    def counts(self, lines: Sequence[str] = LINES) -> list[Counts]:
        return asyncio.run(self._read_counts(lines))

    def backlog(self) -> int:
        """Inspections that are not in the live view yet, by its own position."""
        name = self.settings.names.inspections
        ends, identity = topics.end_offsets(self.settings, name), topics.topic_id(self.settings, name)
        written = asyncio.run(self._read_written())
        return sum(end - written.get(f"{identity}/{partition}", -1) - 1 for partition, end in ends.items())

    async def _read_ledger(self) -> Ledger:
        redis = connect_async(self.settings)
        try:
            return await LiveReader(redis, self.settings.names).ledger(self.frames_topic_id)
        finally:
            await redis.aclose()

    async def _read_counts(self, lines: Sequence[str]) -> list[Counts]:
        redis = connect_async(self.settings)
        try:
            return [await LiveReader(redis, self.settings.names).totals(line) for line in lines]
        finally:
            await redis.aclose()

    async def _read_written(self) -> dict[str, int]:
        redis = connect_async(self.settings)
        try:
            return await LiveReader(redis, self.settings.names).written()
        finally:
            await redis.aclose()


class RecorderProcess:
    """`python -m services.recorder` with the settings of a test."""

    def __init__(self, settings: Settings, log_path: Path, *, config: Path | None = None) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOUPE_")},
            "PYTHONPATH": str(ROOT),
            "LOUPE_HOME": str(settings.home),
            "LOUPE_NAMES_PREFIX": settings.names_prefix,
            "LOUPE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka_servers,
            "LOUPE_REDIS__URL": settings.redis_url,
            "LOUPE_HISTORY__WRITE_EVERY_S": str(settings.history.write_every_s),
            "LOUPE_HISTORY__WRITE_ROWS": str(settings.history.write_rows),
            **({"LOUPE_CONFIG": str(config)} if config else {}),
        }
        self.log_path = log_path
        with log_path.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "services.recorder"], cwd=log_path.parent, env=environment, stdout=log, stderr=log)
        self.pid = self._process.pid

    def log(self) -> str:
        return self.log_path.read_text()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout_s: float = 30) -> int:
        return self._process.wait(timeout_s)

    def stop(self) -> int:
        """Its exit code after SIGTERM; killed where it does not end."""
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self.wait()


@contextmanager
def recorder(settings: Settings, log_path: Path, *, config: Path | None = None) -> Iterator[RecorderProcess]:
    process = RecorderProcess(settings, log_path, config=config)
    try:
        yield process
    finally:
        process.stop()


def endless_load(recording: Recording) -> Endless:
    """Inspections without end, some of them twice, until the block ends."""
    return Endless(partial(recording.write, 200, repeat=5), every_s=0.3)


def flagged_in_sql(settings: Settings) -> int:
    """-1 before there are tables."""
    records = Records(settings.records_url)
    try:
        return records.flagged.count()
    except RecordsUnreachableError:
        return -1
    finally:
        records.close()


def check(recording: Recording) -> str:
    """Lost 0, double 0, and the counters say what the ledger says. Returns the ledger in words."""
    ledger, counts = recording.ledger(), recording.counts()
    lost, double = max(0, recording.sent - ledger.inspected), max(0, ledger.inspected - recording.sent)
    told = f"sent {recording.sent}, lost {lost}, double {double}, {ledger}"
    assert (lost, double, ledger.expired, ledger.forgotten) == (0, 0, 0, 0), told
    assert [one.frames for one in counts] == [recording.sent // len(LINES)] * len(LINES), told
    return told


@contextmanager
def recording_for(settings: Settings) -> Iterator[Recording]:
    """Topics of its own on the given broker."""
    topics.ensure_topics(settings)
    publisher = KafkaPublisher(settings)
    yield Recording(settings, topics.topic_id(settings, settings.names.frames), publisher)
    publisher.close()
    names = settings.names
    topics.delete_topics(settings, [names.frames, names.inspections, names.dead_letter, names.verdicts])
