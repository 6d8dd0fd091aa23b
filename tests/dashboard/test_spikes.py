"""When a line rejects clearly more than before."""

import pytest

from services.dashboard.spikes import at_least, spike
from services.results.live import Counts, Minute

NOW = 1000


def minutes(before: tuple[int, int], recent: tuple[int, int]) -> list[Minute]:
    """(inspected, of them failed) of each minute: 30 before, 5 just now."""
    made = {NOW - 34 + number: before for number in range(30)} | {NOW - 4 + number: recent for number in range(5)}
    return [Minute(minute, Counts({"inspected": inspected, "decision:fail": failed})) for minute, (inspected, failed) in made.items()]


def test_many_more_rejects_than_before_are_a_spike() -> None:
    found = spike(minutes((60, 1), (60, 8)), NOW)

    assert found is not None
    assert (found.rate, found.before) == (pytest.approx(8 / 60), pytest.approx(1 / 60))


@pytest.mark.parametrize(
    ("before", "recent"),
    [
        ((60, 6), (60, 6)),  # as bad as ever
        ((60, 1), (60, 2)),  # by chance
        ((60, 8), (60, 1)),  # better
        ((60, 0), (0, 0)),  # nothing comes
        ((2, 0), (60, 30)),  # nothing to compare with
    ],
)
def test_what_is_no_spike(before: tuple[int, int], recent: tuple[int, int]) -> None:
    assert spike(minutes(before, recent), NOW) is None


def test_the_chance_is_the_binomial_one() -> None:
    assert at_least(2, 2, 0.5) == pytest.approx(0.25)
    assert at_least(1, 3, 0.1) == pytest.approx(1 - 0.9**3)
    assert at_least(0, 3, 0.1) == 1
    assert at_least(5000, 10_000, 0.01) < 1e-300
