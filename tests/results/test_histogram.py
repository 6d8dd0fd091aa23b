import pytest

from services.results.histogram import BOUNDS_MS, SKEW, buckets, field_of, quantile, summed


def counted(latencies: list[float]) -> dict[int, int]:
    fields: dict[str, int] = {}
    for latency_ms in latencies:
        fields[field_of(latency_ms)] = fields.get(field_of(latency_ms), 0) + 1
    return buckets(fields)


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_quantile_is_off_by_less_than_a_tenth(share: float) -> None:
    latencies = [10 + number for number in range(1000)]

    found = quantile(counted(latencies), share)

    assert found == pytest.approx(10 + share * 1000, rel=0.1)


def test_a_camera_ahead_of_our_clock_is_counted_apart() -> None:
    assert field_of(-3) == SKEW
    assert counted([-3, -4]) == {}


def test_nothing_counted_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None


def test_a_latency_beyond_the_last_bound_is_the_last_bound() -> None:
    assert quantile(counted([1e9]), 0.5) == BOUNDS_MS[-1]


def test_minutes_add_up() -> None:
    assert summed([{1: 2}, {1: 1, 3: 4}]) == {1: 3, 3: 4}
