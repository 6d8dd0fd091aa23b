"""One account of the plant from a real broker and Redis."""

import pytest

from services.bus import topics
from services.bus.publisher import KafkaPublisher
from services.contract.batch import NOWHERE, Batch
from services.contract.inspection import Decision, Outcome
from services.contract.settings import Settings
from services.dashboard.status import TruthStatus, collect
from services.records.migrations import migrate
from services.records.store import Records
from services.results.active import set_active
from services.results.connection import connect
from services.results.live import LiveWriter
from tests.builders import MODEL_VERSION, make_active, make_inspection


@pytest.fixture
def plant(kafka_servers: str, redis_url: str, settings: Settings) -> Settings:
    topics.ensure_topics(settings)
    migrate(settings.records_url)
    records = Records(settings.records_url)
    records.add_line("metal", cameras={"top": "push:"})
    records.close()
    set_active(connect(settings), settings.names, make_active("metal"))
    return settings


def test_the_ledger_is_what_was_sent_and_what_became_of_it(plant: Settings) -> None:
    send_frames(plant, 10)
    record(plant, passed=4, failed_good=1, missed=1, flagged=2)

    status = collect(plant)

    ledger, (line,) = status.ledger, status.lines
    assert ledger is not None
    assert (ledger.sent, ledger.inspected, ledger.in_flight, ledger.expired, ledger.balanced) == (10, 8, 2, 0, True)
    assert line.truth == TruthStatus(defects=3, defects_flagged=2, good=5, good_passed=4)
    assert (line.inspected, line.flagged, line.model_version) == (8, 3, MODEL_VERSION)


def send_frames(settings: Settings, count: int) -> None:
    publisher = KafkaPublisher(settings)
    for future in [publisher.send(settings.names.frames, b"a frame", key=None, partition=0) for _ in range(count)]:
        future.result(30)
    publisher.close()


def record(settings: Settings, *, passed: int, failed_good: int, missed: int, flagged: int) -> None:
    judged = [("good", Decision.PASS)] * passed + [("good", Decision.FAIL)] * failed_good
    judged += [("scratch", Decision.PASS)] * missed + [("scratch", Decision.REVIEW)] * flagged
    identity = topics.topic_id(settings, settings.names.frames)
    inspections = [
        make_inspection(number, topic_id=identity, truth=truth, decision=decision, outcome=Outcome.INSPECTED) for number, (truth, decision) in enumerate(judged)
    ]
    writer = LiveWriter(connect(settings), settings.names, live_length=100)
    writer.write(Batch("inspections-id", 0, NOWHERE, len(inspections) - 1, inspections))
