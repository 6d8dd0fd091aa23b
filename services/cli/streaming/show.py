"""A folder, a model and a time -> the folder streamed through a real stack as a line, and the account of it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.embedded.control import StackError
from models.registry import RegistryError, resolve
from services.bus.errors import BusError
from services.bus.publisher import KafkaPublisher
from services.bus.subscriber import read_all
from services.bus.topics import end_offsets
from services.cli.common import dashboard_url, load_settings
from services.cli.models import slug
from services.cli.streaming.line import LineNotJudgedError, a_line
from services.cli.streaming.pictures import Labelled, read_test_split
from services.cli.streaming.stack import a_stack
from services.cli.streaming.stream import Sent, Streamer, StreamStalledError
from services.cli.streaming.summary import summarize
from services.cli.streaming.thresholds import has_learnt, thresholds_for
from services.contract.inspection import Inspection
from services.contract.settings import Settings
from services.ingest.errors import IngestError
from services.records.errors import RecordsError
from services.results.connection import Redis, ResultsError, connect
from services.results.live import Counts

EXPECTED = (BusError, IngestError, LineNotJudgedError, RecordsError, RegistryError, ResultsError, StackError, StreamStalledError, ValueError, OSError)
"""What may go wrong for a reason that one line can tell."""


def show(folder: Path, model: str, *, seconds: float, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Raises EXPECTED. `say` gets what a person should know before the numbers."""
    pictures = read_test_split(folder, seed=seed)
    name = folder.resolve().name
    version = resolve(model, load_settings().models_path)
    note = "" if has_learnt(version, folder) else f"model {version.name} has never seen parts like those of {name}: expect little more than chance"
    if note:
        say(note)
    thresholds = thresholds_for(version, folder)
    say(f"thresholds: {thresholds.promise}")
    with a_stack() as (settings, own):
        redis = connect(settings)
        line, began_at = f"demo-{slug(name)}"[:40].rstrip("-"), time.monotonic()
        with a_line(settings, redis, line, name=f"Demo: {name}", version=version, calibration=thresholds.calibration):
            starts = end_offsets(settings, settings.names.inspections)
            sent = _stream(settings, redis, line, pictures, seconds)
            summary = summarize(_inspections(settings, starts), sent.acknowledged)
        elapsed_s = time.monotonic() - began_at
        redis.close()
    return {
        "data": name,
        "sent": len(sent.acknowledged),
        **asdict(summary),
        "dropped": sent.dropped,
        "not_sent": sent.left,
        "seconds": round(elapsed_s, 1),
        "model": {"name": version.name, "id": version.id},
        "note": note,
        "thresholds": thresholds.promise,
        "own_stack": own,
    }


def _stream(settings: Settings, redis: Redis, line: str, pictures: Sequence[Labelled], seconds: float) -> Sent:
    topic, count = settings.names.frames, settings.names.count(line)
    publisher = KafkaPublisher(settings)
    try:
        with _progress(f"inspected, to be seen on {dashboard_url(settings)}", len(pictures)) as shown:
            streamer = Streamer(
                line,
                f"{datetime.now(UTC):%Y%m%dt%H%M%S}",
                lambda frame: publisher.send(topic, frame.image, key=frame.key, headers=frame.headers(), wait_s=30),
                lambda: Counts.from_hash(redis.hgetall(count)).frames,
            )
            return streamer.stream(pictures, seconds=seconds, shown=shown)
    finally:
        publisher.close()


def _inspections(settings: Settings, starts: dict[int, int]) -> Iterator[Inspection]:
    topic = settings.names.inspections
    for record in read_all(settings, topic, starts, end_offsets(settings, topic)):
        yield Inspection.from_json(record.value or b"")


@contextmanager
def _progress(text: str, frames: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error."""
    with Progress(BarColumn(), MofNCompleteColumn(), TextColumn(text), TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=frames)
        yield lambda done: progress.update(task, completed=done)
