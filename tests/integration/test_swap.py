"""`loupe bench swap` on a real Kafka, Redis and Ray that somebody else runs: the dashboard's own way of promoting, while frames stream."""

from pathlib import Path

import pytest

from services.cli.measuring.swap import measure
from services.contract.settings import Settings
from services.results.connection import connect


@pytest.mark.usefixtures("kafka_servers", "redis_url", "ray_cluster")
def test_no_frame_is_lost_or_judged_by_another_version_than_it_says_and_what_is_broken_never_judges(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    report = measure(settings, promotions=3, capacity_s=1)

    assert report.error_words == []
    assert (report.promotions, report.rejected) == (3, 2)
    assert (report.lost, report.double, report.mis_stamped) == (0, 0, 0)
    assert report.frames > report.frames_in_swaps > 0
    assert not list(connect(settings).scan_iter(match="bench-*"))
