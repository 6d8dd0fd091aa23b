"""A model version and a calibration -> a line that is judged by them for a while."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from models.registry import ModelVersion, Registry, calibration_id
from services.contract.inspection import Calibration
from services.contract.settings import Settings
from services.records.store import Records
from services.results.active import get_active
from services.results.connection import Redis

ACTIVE_WITHIN_S = 60.0
POLL_S = 0.1


class LineNotJudgedError(RuntimeError):
    """The recorder did not say what judges the line."""


@contextmanager
def a_line(settings: Settings, redis: Redis, line: str, *, name: str, version: ModelVersion, calibration: dict[str, Any]) -> Iterator[None]:
    """Judged when the block begins; gone from records and pages when it ends."""
    stored = Registry(settings.models_path).add(version.path)  # replicas load from the registry alone
    decided = Calibration.model_validate({"calibration_id": calibration_id(line, stored.id, calibration), **calibration})
    records = Records(settings.records_url)
    if any(one.id == line for one in records.lines()):  # of a demo that was killed
        _remove(settings, records, redis, line)
    records.add_line(line, name=name)
    try:
        records.add_calibration(line, stored.id, decided, calibration)
        records.activate(line, stored.id, decided.calibration_id, by="loupe demo")
        _wait_judged(settings, redis, line, stored.id)
        yield
    finally:
        _remove(settings, records, redis, line)
        records.close()


def _remove(settings: Settings, records: Records, redis: Redis, line: str) -> None:
    records.remove_line(line)
    names = settings.names
    redis.delete(names.active(line), names.live(line), names.count(line), names.preview(line), names.watched(line))


def _wait_judged(settings: Settings, redis: Redis, line: str, version_id: str) -> None:
    deadline = time.monotonic() + ACTIVE_WITHIN_S
    while (active := get_active(redis, settings.names, line)) is None or active.model_version != version_id:
        if time.monotonic() > deadline:
            raise LineNotJudgedError(f"line {line}: the recorder has not made it active within {ACTIVE_WITHIN_S:g} s; does one run? See `loupe status`")
        time.sleep(POLL_S)
