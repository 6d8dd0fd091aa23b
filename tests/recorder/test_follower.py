"""Following `inspections` into a store that may be away, emptied, rolled back or ahead."""

import threading
from collections.abc import Mapping

import pytest

from services.bus.record import Partition, Record
from services.contract.batch import NOWHERE, Batch, PositionMovedError, Wrote
from services.recorder.follower import Follower
from tests.builders import make_inspection

PLACE = Partition("inspections", 0)


class AwayError(Exception):
    pass


class MemorySource:
    """One partition; reads on where the group committed, as a real one does."""

    def __init__(self, *values: bytes, begins_at: int = 0, committed: int = 0) -> None:
        self.identity = "first"
        self.values, self.begins_at = dict(enumerate(values, begins_at)), begins_at
        self.at, self.committed = max(committed, begins_at), committed
        self.resets: set[Partition] = set()

    def poll(self, timeout_s: float, max_records: int) -> dict[Partition, list[Record]]:
        self.at = max(self.at, self.begins_at)
        offsets = [offset for offset in sorted(self.values) if offset >= self.at][:max_records]
        self.at = offsets[-1] + 1 if offsets else self.at
        records = [Record(PLACE.topic, self.identity, 0, offset, 0, None, self.values[offset]) for offset in offsets]
        return {PLACE: records} if records else {}

    def take_resets(self) -> set[Partition]:
        resets, self.resets = self.resets, set()
        return resets

    def assignment(self) -> set[Partition]:
        return {PLACE}

    def topic_id(self, topic: str) -> str:
        return self.identity

    def seek(self, partition: Partition, offset: int) -> None:
        self.at = offset

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        self.committed = offsets[PLACE]


class MemoryStore:
    """A list with its position beside it."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.batches: list[Batch] = []
        self.positions: dict[str, int] = {}
        self.away = 0

    def position(self, topic_id: str, partition: int) -> int:
        self._answer()
        return self.positions.get(topic_id, NOWHERE)

    def write(self, batch: Batch) -> Wrote:
        self._answer()
        stands = self.positions.get(batch.topic_id, NOWHERE)
        if stands != batch.before:
            raise PositionMovedError(stands, batch.before)
        self.offsets += [one.source.offset for one in batch.inspections]
        self.batches.append(batch)
        self.positions[batch.topic_id] = batch.after
        return Wrote(len(batch.inspections))

    def empty(self) -> None:
        self.offsets, self.positions = [], {}

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise AwayError("no answer")


def inspections(start: int, stop: int) -> list[bytes]:
    return [make_inspection(number).to_json() for number in range(start, stop)]


def follower(source: MemorySource, store: MemoryStore, stop: threading.Event | None = None) -> Follower:
    follower = Follower("test", source, store, stop or threading.Event(), begins_at=lambda _: source.begins_at, failures=(AwayError,))
    follower.look_every_s = 0
    return follower


def steps(following: Follower, count: int = 4) -> None:
    for _ in range(count):
        following.step()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_everything_is_written_once_and_committed_after(store: MemoryStore) -> None:
    source = MemorySource(*inspections(0, 5))

    steps(follower(source, store))

    assert store.offsets == [0, 1, 2, 3, 4]
    assert source.committed == 5


def test_a_store_behind_the_group_is_given_what_it_lacks(store: MemoryStore) -> None:
    """Redis lost its last second, or was emptied, while nobody followed."""
    source = MemorySource(*inspections(0, 5), committed=4)

    steps(follower(source, store))

    assert store.offsets == [0, 1, 2, 3, 4]
    assert not any(batch.forgotten for batch in store.batches)


def test_a_store_ahead_of_the_group_is_given_nothing_twice(store: MemoryStore) -> None:
    """Killed between the write and the commit."""
    source = MemorySource(*inspections(0, 5))
    steps(follower(source, store))
    source.at = source.committed = 2

    steps(follower(source, store))

    assert store.offsets == [0, 1, 2, 3, 4]


def test_a_store_emptied_while_nothing_streams_is_filled_again(store: MemoryStore) -> None:
    following = follower(MemorySource(*inspections(0, 5)), store)
    steps(following)

    store.empty()
    steps(following)

    assert store.offsets == [0, 1, 2, 3, 4]


def test_a_store_emptied_between_two_writes_is_filled_again(store: MemoryStore) -> None:
    source = MemorySource(*inspections(0, 3))
    following = follower(source, store)
    steps(following)

    store.empty()
    source.values |= dict(enumerate(inspections(3, 6), 3))
    steps(following)

    assert store.offsets == [0, 1, 2, 3, 4, 5]


def test_a_store_that_is_away_holds_nothing_back_for_good(store: MemoryStore) -> None:
    source, stop = MemorySource(*inspections(0, 5)), threading.Event()
    following = follower(source, store, stop)
    store.away = 3

    thread = threading.Thread(target=following.run)
    thread.start()
    for _ in range(500):
        if source.committed == 5:
            break
        stop.wait(0.01)
    stop.set()
    thread.join()

    assert store.offsets == [0, 1, 2, 3, 4]


def test_what_retention_took_is_forgotten(store: MemoryStore) -> None:
    source = MemorySource(*inspections(7, 9), begins_at=7)

    steps(follower(source, store))

    assert store.offsets == [7, 8]
    assert store.batches[0].forgotten


def test_a_topic_made_anew_is_read_from_its_beginning(store: MemoryStore) -> None:
    source = MemorySource(*inspections(0, 3))
    following = follower(source, store)
    steps(following)

    source.identity, source.values, source.at, source.resets = "second", dict(enumerate(inspections(0, 2))), 0, {PLACE}
    steps(following)

    assert store.offsets == [0, 1, 2, 0, 1]
    assert store.positions == {"first": 2, "second": 1}


def test_a_record_that_is_no_inspection_holds_nobody_up(store: MemoryStore) -> None:
    good = inspections(0, 2)
    source = MemorySource(good[0], b"not an inspection", good[1])

    steps(follower(source, store))

    assert store.offsets == [0, 1]
    assert source.committed == 3
