"""Empties the live view; the recorder notices at its next look and fills it again from `inspections`."""

import time
from collections.abc import Callable

from services.bus.topics import end_offsets, topic_id
from services.contract.names import Names
from services.contract.settings import Settings
from services.results.connection import Redis, connect
from services.results.live import LiveWriter

POLL_S = 0.2
STALLED_AFTER_S = 60.0

# At once: a recorder that wrote between two deletions would count some inspections twice.
_EMPTY = """
local dropped = 0
for _, pattern in ipairs(ARGV) do
  for _, key in ipairs(redis.call('KEYS', pattern)) do dropped = dropped + redis.call('DEL', key) end
end
return dropped
"""


class RebuildStalledError(RuntimeError):
    """The live view does not grow: no recorder runs, or it cannot read."""


def rebuild(settings: Settings, progress: Callable[[int, int], None] = lambda done, of: None) -> int:
    """Returns how many inspections were read again, once the live view is as far as `inspections` was when it was emptied."""
    redis = connect(settings)
    try:
        topic = settings.names.inspections
        identity, ends = topic_id(settings, topic), end_offsets(settings, topic)
        empty(redis, settings.names)
        return _wait(LiveWriter(redis, settings.names, live_length=settings.redis.live_length), identity, ends, progress)
    finally:
        redis.close()


def empty(redis: Redis, names: Names) -> int:
    """Drops stream, counters, ledger and position of every line; what judges them, previews and masks stay."""
    patterns = [names.live("*"), names.count("*"), names.ledger("*"), names.written]
    return int(redis.eval(_EMPTY, 0, *patterns))


def _wait(writer: LiveWriter, identity: str, ends: dict[int, int], progress: Callable[[int, int], None]) -> int:
    wanted, best, moved_at = sum(ends.values()), -1, time.monotonic()
    while True:
        stand = writer.positions((identity, partition) for partition in ends)
        done = sum(min(stand[identity, partition] + 1, end) for partition, end in ends.items())
        progress(done, wanted)
        if done >= wanted:
            return wanted
        if done > best:
            best, moved_at = done, time.monotonic()
        elif time.monotonic() - moved_at > STALLED_AFTER_S:
            raise RebuildStalledError(f"the live view stands at {done} of {wanted} inspections for {STALLED_AFTER_S:g} s: does the recorder run?")
        time.sleep(POLL_S)
