"""Pacing and backing off, by clocks that tests move."""

import pytest

from services.ingest.pace import Backoff, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_ticks_do_not_drift_with_the_work_between_them() -> None:
    clock = Clock()
    pace, ticks = Pace(4, clock=clock), []

    for _ in range(5):
        clock.now += pace.wait_s()
        ticks.append(clock.now - 100)
        clock.now += 0.1

    assert ticks == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


def test_missed_ticks_are_left_out() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock)
    pace.wait_s()

    clock.now += 3

    assert pace.wait_s() == 0
    assert pace.wait_s() == pytest.approx(0.1)


def test_no_rate_means_no_waiting() -> None:
    clock = Clock()
    pace = Pace(0, clock=clock)

    assert [pace.wait_s() for _ in range(3)] == [0, 0, 0]


def test_backing_off_doubles_up_to_a_limit_and_starts_over() -> None:
    backoff = Backoff(jitter=lambda: 0)

    waits = [backoff.next_s() for _ in range(8)]
    backoff.reset()

    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.next_s() == 0.5


def test_jitter_shortens_a_pause_by_up_to_a_half() -> None:
    assert Backoff(jitter=lambda: 1).next_s() == 0.25
