"""`loupe bench pipeline` on a real Kafka, Redis and Ray that somebody else runs: every frame comes back once, and nothing stays behind."""

from pathlib import Path

import pytest

from services.bus.connection import client_options
from services.cli.measuring.pipeline import measure
from services.contract.settings import Settings
from services.results.connection import connect


@pytest.mark.usefixtures("kafka_servers", "redis_url", "ray_cluster")
def test_every_frame_comes_back_once_and_nothing_stays_behind(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    report = measure(settings, frames=300, size_kb=20, detector="decode")

    assert (report.lost, report.double, report.acknowledged) == (0, 0, 300)
    assert report.frames_per_s > 0
    assert report.ratio_to_bare == pytest.approx(report.frames_per_s / report.bare_frames_per_s, rel=0.05)
    assert {"camera", "recorder", "total"} <= set(report.cpu_ms_per_frame)
    assert not [topic for topic in topics(settings) if topic.startswith("bench-")]
    assert not list(connect(settings).scan_iter(match="bench-*"))


def topics(settings: Settings) -> list[str]:
    from kafka import KafkaAdminClient

    with KafkaAdminClient(**client_options(settings)) as admin:
        return list(admin.list_topics())
