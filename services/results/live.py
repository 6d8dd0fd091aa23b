"""Inspections -> the live view in Redis (`LiveWriter`, the recorder's) -> what the pages show (`LiveReader`).

One Lua call writes one micro-batch: the data, the highest source offset per frames partition (a frame that was inspected twice
counts once), and how far `inspections` has been read. Because the position lives beside the data, a Redis that was emptied or that
lost its last second is noticed at the next write: the position isn't the one expected, nothing is written, and the recorder reads again from there.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.contract.batch import NOWHERE, Batch, PositionMovedError, Wrote
from services.contract.inspection import Decision, Inspection, Outcome
from services.contract.names import Names
from services.results import histogram
from services.results.connection import AsyncRedis, Redis, text

MINUTES_KEPT = 12 * 60
_CLEAR = "for _, pattern in ipairs(ARGV) do for _, key in ipairs(redis.call('KEYS', pattern)) do redis.call('UNLINK', key) end end"
"""One call: a batch written between two deletions would count twice."""


class LiveWriter:
    """Writes micro-batches of inspections; raises ResultsError while Redis is away, PositionMovedError when it forgot something."""

    def __init__(self, redis: Redis, names: Names, *, live_length: int) -> None:
        self._redis, self._names, self._live_length = redis, names, live_length
        self._script = redis.register_script((Path(__file__).parent / "live.lua").read_text())

    def position(self, topic_id: str, partition: int) -> int:
        """The last offset of `inspections` in the live view; -1 for none."""
        stands = self._redis.hget(self._names.written, Names.written_field(topic_id, partition))
        return NOWHERE if stands is None else int(stands)

    def write(self, batch: Batch) -> Wrote:
        keys = _Keys(self._names.written)
        call = _call(batch, keys, self._names, self._live_length)
        payloads = [inspection.to_json() for inspection in batch.inspections]
        done, *counts = (int(value) for value in self._script(keys=keys.names, args=[json.dumps(call), *payloads]))
        if not done:
            raise PositionMovedError(counts[0], batch.before)
        return Wrote(*counts)

    def clear(self) -> None:
        """Empties the live view at once: the recorder notices and reads `inspections` again from the beginning."""
        patterns = [self._names.live("*"), self._names.count("*"), self._names.ledger("*"), self._names.written]
        self._redis.eval(_CLEAR, 0, *patterns)


class _Keys:
    """Redis keys in the order of first use, named by number (from 1) in the call: each is long and used often."""

    def __init__(self, first: str) -> None:
        self._numbers = {first: 1}

    def __getitem__(self, key: str) -> int:
        return self._numbers.setdefault(key, len(self._numbers) + 1)

    @property
    def names(self) -> list[str]:
        return list(self._numbers)


def _call(batch: Batch, keys: _Keys, names: Names, cap: int) -> dict[str, Any]:
    kinds: dict[tuple[Any, ...], int] = {}
    records = [(kinds.setdefault(_kind(one), len(kinds) + 1), one.source.offset, _latency_field(one)) for one in batch.inspections]
    return {
        "position_field": Names.written_field(batch.topic_id, batch.partition),
        "before": batch.before,
        "after": batch.after,
        "cap": cap,
        "gap_field": "forgotten" if batch.forgotten else "expired",
        "kinds": [_spelled_out(kind, keys, names) for kind in kinds],
        "records": records,
        "expiries": [(keys[names.count_minute(line, minute)], (minute + MINUTES_KEPT) * 60) for _, _, line, minute, *_ in kinds],
    }


def _kind(inspection: Inspection) -> tuple[Any, ...]:
    """What many inspections of a batch share: said once, since most of a call would be these."""
    source, minute = inspection.source, int(inspection.timings.written_at.timestamp() // 60)
    line = inspection.frame_id.partition("/")[0]  # parsing the whole identity costs more than all else here
    return source.topic_id, source.partition, line, minute, inspection.outcome.value, count_fields(inspection)


def _spelled_out(kind: tuple[Any, ...], keys: _Keys, names: Names) -> tuple[Any, ...]:
    topic_id, partition, line, minute, outcome, counters = kind
    used = (names.live(line), names.ledger(topic_id), names.count(line), names.count_minute(line, minute))
    return (Names.written_field(topic_id, partition), *(keys[key] for key in used), outcome, counters)


def _latency_field(inspection: Inspection) -> str:
    return histogram.field_of(inspection.latency_ms) if inspection.outcome is Outcome.INSPECTED else ""


def count_fields(inspection: Inspection) -> tuple[str, ...]:
    """The counters of its line that an inspection moves by one."""
    fields = [inspection.outcome.value]
    if inspection.decision is not None:
        fields.append(f"decision:{inspection.decision.value}")
        if inspection.truth is not None:
            fields.append(truth_field("good" if inspection.truth == "good" else "defect", inspection.decision))
    if inspection.archived is not None:
        fields.append("archived")
    return tuple(fields)


def truth_field(truth: str, decision: Decision) -> str:
    return f"truth:{truth}:{decision.value}"


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters of a line, in all or of one minute."""

    fields: Mapping[str, int] = field(default_factory=dict)

    def outcome(self, outcome: Outcome) -> int:
        return self.fields.get(outcome.value, 0)

    def decision(self, decision: Decision) -> int:
        return self.fields.get(f"decision:{decision.value}", 0)

    def truth(self, truth: str, decision: Decision | None = None) -> int:
        """Frames whose source knew them to be "good" or a "defect", with this decision or with any."""
        return sum(self.fields.get(truth_field(truth, one), 0) for one in ([decision] if decision else Decision))

    @property
    def frames(self) -> int:
        return sum(self.outcome(one) for one in Outcome)

    @property
    def flagged(self) -> int:
        """Review or fail."""
        return self.decision(Decision.REVIEW) + self.decision(Decision.FAIL)

    @property
    def archived(self) -> int:
        return self.fields.get("archived", 0)

    @property
    def clock_skew(self) -> int:
        return self.fields.get(histogram.SKEW, 0)

    @property
    def latencies(self) -> dict[int, int]:
        """Bucket -> count, for `histogram.quantile`."""
        return histogram.buckets(self.fields)

    def latency_ms(self, share: float) -> float | None:
        return histogram.quantile(self.latencies, share)

    def __add__(self, other: "Counts") -> "Counts":
        both = {name: self.fields.get(name, 0) + other.fields.get(name, 0) for name in {*self.fields, *other.fields}}
        return Counts(both)

    @classmethod
    def from_hash(cls, fields: dict[bytes, bytes]) -> "Counts":
        return cls({name: int(value) for name, value in text(fields).items()})


@dataclass(frozen=True, slots=True)
class Minute:
    """What a line did in one minute; `minute` is Unix time // 60."""

    minute: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of the frames of one incarnation of the frames topic."""

    inspected: int = 0
    recorded: int = 0
    failed: int = 0
    late: int = 0
    expired: int = 0
    forgotten: int = 0
    redelivered: int = 0
    """Second inspections of a frame, passed over: no part of the sum."""

    @property
    def accounted(self) -> int:
        return self.inspected + self.recorded + self.failed + self.late + self.expired + self.forgotten

    @classmethod
    def from_hash(cls, fields: dict[bytes, bytes]) -> "Ledger":
        known = {name: int(value) for name, value in text(fields).items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Entry:
    """One inspection in a line's stream; `entry_id` is where to go on reading."""

    line: str
    entry_id: str
    inspection: Inspection


class LiveReader:
    """What the pages read. `blocking` is a client of its own for `tail` (see `connect_blocking`)."""

    def __init__(self, redis: AsyncRedis, names: Names, *, blocking: AsyncRedis | None = None) -> None:
        self._redis, self._names, self._blocking = redis, names, blocking or redis

    async def latest(self, line: str, count: int = 50, *, before: str | None = None) -> list[Entry]:
        """Newest first; `before` an entry id goes further back."""
        found = await self._redis.xrevrange(self._names.live(line), max=f"({before}" if before else "+", min="-", count=count)
        return [_entry(line, entry_id, fields) for entry_id, fields in found]

    async def totals(self, line: str) -> Counts:
        return Counts.from_hash(await self._redis.hgetall(self._names.count(line)))

    async def minutes(self, line: str, since: int, until: int) -> list[Minute]:
        """One for every minute from `since` to `until`, both included, empty ones too."""
        pipeline = self._redis.pipeline(transaction=False)
        for minute in range(since, until + 1):
            pipeline.hgetall(self._names.count_minute(line, minute))
        found = await pipeline.execute()
        return [Minute(minute, Counts.from_hash(fields)) for minute, fields in zip(range(since, until + 1), found, strict=True)]

    async def tail(self, after: Mapping[str, str], *, block_ms: int = 2000, count: int = 100) -> list[Entry]:
        """What came to these lines after these entry ids ("$": from now on), waiting for up to `block_ms`."""
        streams = {self._names.live(line): entry_id for line, entry_id in after.items()}
        lines = {self._names.live(line).encode(): line for line in after}
        found = await self._blocking.xread(streams, count=count, block=block_ms)
        pairs = found.items() if isinstance(found, dict) else found or ()
        return [_entry(lines[key], entry_id, fields) for key, entries in pairs for entry_id, fields in _flat(entries)]

    async def follow(self, lines: Sequence[str]) -> AsyncIterator[Entry]:
        """Everything that comes to these lines from now on."""
        after = {line: await self._last(line) for line in lines}
        while True:
            for entry in await self.tail(after):
                after[entry.line] = entry.entry_id
                yield entry

    async def ledger(self, topic_id: str) -> Ledger:
        return Ledger.from_hash(await self._redis.hgetall(self._names.ledger(topic_id)))

    async def written(self) -> dict[str, int]:
        """Topic id/partition -> highest offset in the live view, of the frames topics and of `inspections`."""
        return {name: int(offset) for name, offset in text(await self._redis.hgetall(self._names.written)).items()}

    async def _last(self, line: str) -> str:
        newest = await self._redis.xrevrange(self._names.live(line), count=1)
        return newest[0][0].decode() if newest else "0-0"


def _entry(line: str, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    return Entry(line, entry_id.decode(), Inspection.from_json(fields[b"inspection"]))


def _flat(entries: Any) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
    """RESP3 nests the entries of a stream one level deeper than RESP2."""
    return entries[0] if entries and isinstance(entries[0], list) else entries
