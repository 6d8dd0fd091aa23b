"""Records held back until they are worth a file."""

from services.bus.record import Partition
from services.recorder.gathering import Gathering
from tests.recorder.test_follower import PLACE, MemorySource, MemoryStore, follower, inspections, steps


def gathering(source: MemorySource, *, records: int = 4, seconds: float = 10, now: float = 0) -> tuple[Gathering, list[float]]:
    clock = [now]
    return Gathering(source, records=records, seconds=seconds, now=lambda: clock[0]), clock


def test_few_records_wait_and_enough_are_given() -> None:
    source = MemorySource(*inspections(0, 3))
    held, _ = gathering(source)
    assert held.poll(0, 100) == {}

    source.values |= dict(enumerate(inspections(3, 5), 3))

    assert [record.offset for record in held.poll(0, 100)[PLACE]] == [0, 1, 2, 3, 4]
    assert held.poll(0, 100) == {}


def test_the_oldest_waits_no_longer_than_it_may() -> None:
    held, clock = gathering(MemorySource(*inspections(0, 1)))
    assert held.poll(0, 100) == {}

    clock[0] = 10

    assert len(held.poll(0, 100)[PLACE]) == 1


def test_what_is_read_from_elsewhere_is_not_given_twice() -> None:
    source = MemorySource(*inspections(0, 3))
    held, _ = gathering(source)
    held.poll(0, 100)

    held.seek(PLACE, 0)
    source.values |= dict(enumerate(inspections(3, 4), 3))

    assert [record.offset for record in held.poll(0, 100)[PLACE]] == [0, 1, 2, 3]


def test_a_partition_that_moved_takes_what_was_held_along() -> None:
    source = MemorySource(*inspections(0, 3))
    held, clock = gathering(source)
    held.poll(0, 100)
    source.resets = {PLACE, Partition("inspections", 1)}

    held.take_resets()
    clock[0] = 11

    assert held.poll(0, 100) == {}


def test_a_store_behind_it_is_filled_and_committed_after() -> None:
    source, store = MemorySource(*inspections(0, 5)), MemoryStore()
    held, _ = gathering(source, records=5)

    steps(follower(held, store))  # type: ignore[arg-type]

    assert store.offsets == [0, 1, 2, 3, 4]
    assert len(store.batches) == 1
    assert source.committed == 5
