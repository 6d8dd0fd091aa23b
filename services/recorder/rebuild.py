"""Empties the live view; the recorder notices at its next look and fills it again from `inspections`."""

import time
from collections.abc import Callable, Mapping

from services.bus.topics import begin_offsets, end_offsets, topic_id
from services.contract.settings import Settings
from services.results.connection import connect
from services.results.live import LiveWriter

POLL_S = 0.2
STALLED_AFTER_S = 60.0
Progress = Callable[[int, int], None]


class RebuildStalledError(RuntimeError):
    """The live view does not grow: no recorder runs, or it cannot read."""


def rebuild(settings: Settings, progress: Progress = lambda done, of: None, *, stalled_after_s: float = STALLED_AFTER_S) -> int:
    """Returns how many inspections were read again, once the live view is as far as `inspections` was when it was emptied."""
    redis = connect(settings)
    writer = LiveWriter(redis, settings.names, live_length=settings.redis.live_length)
    try:
        topic = settings.names.inspections
        identity, begins, ends = topic_id(settings, topic), begin_offsets(settings, topic), end_offsets(settings, topic)
        writer.clear()
        _wait(lambda: _done(writer, identity, begins, ends), sum(ends[one] - begins[one] for one in ends), progress, stalled_after_s)
        return sum(ends[one] - begins[one] for one in ends)
    finally:
        redis.close()


def _done(writer: LiveWriter, identity: str, begins: Mapping[int, int], ends: Mapping[int, int]) -> int:
    stands = {partition: writer.position(identity, partition) + 1 for partition in ends}
    return sum(min(max(stands[one], begins[one]), ends[one]) - begins[one] for one in ends)


def _wait(done: Callable[[], int], wanted: int, progress: Progress, stalled_after_s: float) -> None:
    best, moved_at = -1, time.monotonic()
    while (now := done()) < wanted:
        progress(now, wanted)
        if now > best:
            best, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > stalled_after_s:
            raise RebuildStalledError(f"the live view stands at {now} of {wanted} inspections for {stalled_after_s:g} s: does the recorder run?")
        time.sleep(POLL_S)
    progress(wanted, wanted)
