"""A line's frames are read again from a real Kafka and decided by a candidate, beside what the line had decided."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import pytest

from models.registry import Registry, shipped
from services.bus.publisher import KafkaPublisher
from services.bus.reader import offsets_at, read_all
from services.bus.topics import end_offsets, ensure_topics, topic_id
from services.contract.frame import Frame
from services.contract.inspection import Decision, Inspection, Outcome, Source
from services.contract.settings import Settings
from services.ingest.synthetic.parts import GoodParts
from services.records.audit import Actor
from services.records.database import Database
from services.records.jobs import JobKind, Jobs, Trigger
from services.records.migrations import migrate
from services.records.store import Records
from services.trainer.backtest import backtest, backtested, decide_twice
from tests.builders import make_frame, make_inspection, make_timings
from training.backtest import Replayed
from training.job_files import PROGRESS, read_json

PLAN = {"review": 0.5, "champion_review": 0.5}


@pytest.fixture
def publisher(kafka_servers: str, settings: Settings) -> Iterator[KafkaPublisher]:
    ensure_topics(settings)
    publisher = KafkaPublisher(settings)
    yield publisher
    publisher.close()


def send(publisher: KafkaPublisher, settings: Settings, frames: Sequence[Frame]) -> None:
    for frame in frames:
        publisher.send(settings.names.frames, frame.image, key=frame.key, headers=frame.headers()).result(20)


def inspected(publisher: KafkaPublisher, settings: Settings, frame: Frame, decision: Decision | None, *, score: float | None, offset: int = 0) -> None:
    """As the line decided it, now."""
    now = datetime.now(UTC)
    fields = {"source": Source(topic_id=topic_id(settings, settings.names.frames), partition=0, offset=offset)}
    timings = make_timings().model_copy(update={"received_at": now, "written_at": now})
    made = make_inspection(frame.frame_id.sequence, camera=frame.frame_id.camera, decision=decision, score=score)
    told: Inspection = made.model_copy(update={**fields, "timings": timings, "outcome": Outcome.INSPECTED if decision else Outcome.RECORDED})
    publisher.send(settings.names.inspections, told.to_json(), key=frame.key).result(20)


def replay(frame: Frame, inspection: Inspection | None) -> Replayed:
    """The candidate sees a defect in every third frame, the champion in none; a picture is its own number."""
    return decide_twice(PLAN, lambda image: 0.9 if int(image) % 3 == 0 else 0.1, lambda image: 0.2, frame, inspection)


def picture(number: int, *, camera: str = "top", line: str = "metal") -> Frame:
    return make_frame(number, camera=camera, line=line, image=b"%d" % number)


def test_frames_of_the_line_are_decided_again_and_compared_with_what_was_decided(publisher: KafkaPublisher, settings: Settings) -> None:
    began_at = datetime.now(UTC) - timedelta(seconds=5)
    frames = [picture(number, camera="top" if number < 6 else "side") for number in range(9)]
    send(publisher, settings, [*frames, *(picture(number, line="wood") for number in range(3))])
    inspected(publisher, settings, frames[0], Decision.PASS, score=0.3)
    inspected(publisher, settings, frames[0], Decision.FAIL, score=0.99)  # judged twice: the first one counts
    inspected(publisher, settings, frames[1], Decision.REVIEW, score=0.6)
    inspected(publisher, settings, frames[3], Decision.FAIL, score=0.9)
    inspected(publisher, settings, frames[4], None, score=None)

    report = backtest(settings, "metal", began_at, datetime.now(UTC) + timedelta(seconds=5), replay)

    assert (report["frames"], report["in_kafka"], report["expired"], report["unreadable"]) == (9, 9, 0, 0)
    assert report["decided_by"] == {"line": 3, "champion": 6}
    assert {one["frame_id"]: one["flagged"] for one in report["changes"]} == {
        "metal/top/s1/0": True,
        "metal/top/s1/1": False,
        "metal/side/s1/6": True,
    }
    assert report["by_camera"] == {
        "side": {"frames": 3, "newly_flagged": 1, "no_longer_flagged": 0},
        "top": {"frames": 6, "newly_flagged": 1, "no_longer_flagged": 1},
    }
    assert report["agreement"] == pytest.approx(6 / 9)


def test_a_jobs_candidate_judges_by_the_thresholds_of_its_plan(publisher: KafkaPublisher, settings: Settings, tmp_path: Path) -> None:
    demo = Registry(settings.models_path).add(shipped("demo"))
    part = make_frame(1, image=cv2.imencode(".png", GoodParts("brushed-metal", 1).good(0).image)[1].tobytes())
    send(publisher, settings, [part, make_frame(2, image=b"no picture")])
    plan = {"job": "metal-1", "minutes": 1, "candidate": demo.id, "champion": demo.id, "review": 0.0, "champion_review": 1.0}
    migrate(settings.records_url)
    Records(settings.records_url).add_line("metal")
    job, _ = Jobs(Database(settings.records_url)).ask("metal", Trigger.CLICK, Actor("anna", "supervisor"), kind=JobKind.BACKTEST, plan=plan)

    result = backtested(settings, job, tmp_path)

    assert (result["candidate"], result["frames"], result["unreadable"], result["newly_flagged"]) == (demo.id, 1, 1, 1)
    assert result["changes"][0]["before"] == result["changes"][0]["after"]
    assert read_json(tmp_path / PROGRESS)["stage"] == "backtest"


def test_of_too_many_frames_an_even_share_is_judged(publisher: KafkaPublisher, settings: Settings) -> None:
    send(publisher, settings, [picture(number) for number in range(40)])
    told: list[tuple[int, int]] = []

    until = datetime.now(UTC) + timedelta(seconds=5)
    report = backtest(settings, "metal", until - timedelta(minutes=1), until, replay, most=15, told=lambda done, of: told.append((done, of)))

    assert (report["in_kafka"], report["frames"], told) == (40, 10, [(10, 10)])


def test_frames_that_retention_took_are_counted_and_those_of_before_are_not_read(publisher: KafkaPublisher, settings: Settings) -> None:
    frame = picture(1)
    send(publisher, settings, [frame])
    inspected(publisher, settings, frame, Decision.PASS, score=0.1)
    [record] = read_all(settings, settings.names.frames, {}, end_offsets(settings, settings.names.frames))
    after = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC) + timedelta(milliseconds=1)
    gone = picture(2)
    made = make_inspection(2, decision=Decision.PASS, score=0.1)
    now = datetime.now(UTC)
    earlier_topic = made.model_copy(update={"timings": make_timings().model_copy(update={"received_at": now, "written_at": now})})
    publisher.send(settings.names.inspections, earlier_topic.to_json(), key=gone.key).result(20)

    whole = backtest(settings, "metal", after - timedelta(minutes=1), now + timedelta(seconds=5), replay)

    assert (whole["frames"], whole["expired"]) == (1, 1)
    assert backtest(settings, "metal", after, now + timedelta(seconds=5), replay)["in_kafka"] == 0
    assert offsets_at(settings, settings.names.frames, after) == end_offsets(settings, settings.names.frames)
