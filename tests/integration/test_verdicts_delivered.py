"""Kafka goes away while people review: their verdicts are kept, and delivered in order when it is back; a dashboard that is killed loses none."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from infra.embedded.kafka import KafkaNode
from infra.embedded.ports import pick_port
from infra.embedded.running import running
from services.bus import topics
from services.bus.errors import BusError
from services.bus.reader import read_all
from services.contract.settings import DashboardSettings, KafkaSettings, RedisSettings, ReviewSettings, Settings
from services.contract.verdict import Answer, Verdict
from services.records.accounts import Role
from services.records.database import Database
from services.records.migrations import migrate
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.outbox import Outbox
from services.review.verdicts import Said
from tests.dashboard_process import dashboard_part
from tests.own_store import kafka_node
from tests.people import bearer
from tests.plant import wait_for
from tests.recording import WITHIN_S
from tests.review.makers import ANNA, add_line, flag

FRAMES = 8


@pytest.fixture
def node(tmp_path: Path) -> KafkaNode:
    """A broker of this test's own, which it may stop; started again it has what it had."""
    return kafka_node(tmp_path / "kafka")


@pytest.fixture
def settings(node: KafkaNode, tmp_path: Path) -> Settings:
    """Redis is away: nobody who reviews would notice."""
    return Settings(
        home=tmp_path / "home",
        kafka=KafkaSettings(bootstrap_servers=node.servers),
        redis=RedisSettings(url=SecretStr(f"redis://127.0.0.1:{pick_port()}/0")),
        dashboard=DashboardSettings(port=pick_port()),
        review=ReviewSettings(second_share=0),
    )


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    migrate(settings.records_url)
    database = Database(settings.records_url)
    yield Desk.of(settings, database, Archive(settings))
    database.close()


@pytest.fixture
def frames(settings: Settings, desk: Desk) -> Iterator[list[str]]:
    records = Records(settings.records_url)
    add_line(records)
    yield [flag(records, Archive(settings), number).frame_id for number in range(FRAMES)]
    records.close()


@contextmanager
def delivering(outbox: Outbox) -> Iterator[None]:
    thread = threading.Thread(target=outbox.run)
    thread.start()
    try:
        yield
    finally:
        outbox.stop()
        thread.join(60)
    assert not thread.is_alive()


def change_ones_mind(desk: Desk, frames: Sequence[str]) -> list[Verdict]:
    """A defect, taken back, good: three verdicts of each frame."""
    given = []
    for frame in frames:
        given += [desk.verdicts.give(frame, Said(answer=Answer.DEFECT), ANNA), desk.verdicts.undo(frame, ANNA)]
        given.append(desk.verdicts.give(frame, Said(answer=Answer.GOOD), ANNA))
        desk.outbox.wake()
    return given


def came(settings: Settings) -> list[Verdict]:
    name = settings.names.verdicts
    return [Verdict.from_json(record.value or b"") for record in read_all(settings, name, {}, topics.end_offsets(settings, name))]


def in_order(verdicts: Sequence[Verdict], frame: str) -> list[str]:
    """A frame's verdict ids, those that came twice once."""
    return list(dict.fromkeys(one.verdict_id for one in verdicts if one.frame_id == frame))


def is_away(settings: Settings) -> bool:
    try:
        topics.end_offsets(settings, settings.names.verdicts)
    except BusError:
        return True
    return False


def test_verdicts_that_were_given_while_kafka_was_away_are_kept_and_delivered_in_order(
    node: KafkaNode, settings: Settings, desk: Desk, frames: list[str], tmp_path: Path
) -> None:
    half = FRAMES // 2
    with delivering(desk.outbox):
        with running(node.part(), tmp_path / "logs"):
            given = change_ones_mind(desk, frames[:half])
            wait_for(lambda: desk.reviews.undelivered() == 0, WITHIN_S)
        assert is_away(settings)

        given += change_ones_mind(desk, frames[half:])
        assert desk.reviews.undelivered() == 3 * (FRAMES - half)

        with running(node.part(), tmp_path / "logs"):
            wait_for(lambda: desk.reviews.undelivered() == 0, WITHIN_S)
            delivered = came(settings)

    for frame in frames:
        assert in_order(delivered, frame) == [one.verdict_id for one in given if one.frame_id == frame]
    assert {one.verdict_id: one for one in delivered} == {one.verdict_id: one for one in given}


def test_what_a_dashboard_left_in_its_outbox_the_next_one_delivers(node: KafkaNode, settings: Settings, desk: Desk, frames: list[str], tmp_path: Path) -> None:
    """It died before Kafka had them: nobody ran this outbox."""
    given = change_ones_mind(desk, frames)
    database = Database(settings.records_url)
    next_one = Desk.of(settings, database, Archive(settings))

    with running(node.part(), tmp_path / "logs"), delivering(next_one.outbox):
        wait_for(lambda: next_one.reviews.undelivered() == 0, WITHIN_S)
        delivered = came(settings)

    database.close()
    assert sorted(one.verdict_id for one in delivered) == sorted(one.verdict_id for one in given)


def test_a_dashboard_that_is_killed_while_kafka_is_away_delivers_when_both_are_back(
    node: KafkaNode, settings: Settings, desk: Desk, frames: list[str], tmp_path: Path
) -> None:
    headers = bearer(settings, Role.SUPERVISOR, "reviewer")
    with running(dashboard_part(settings), tmp_path / "logs") as dashboard:
        url = f"http://127.0.0.1:{settings.dashboard.port}/api/v1/review/frames"
        answers = [httpx.post(f"{url}/{frame}/verdict", data={"answer": "good"}, headers=headers, trust_env=False, timeout=30) for frame in frames]
        os.kill(dashboard.identity.pid, signal.SIGKILL)

    assert [answer.status_code for answer in answers] == [201] * FRAMES
    assert desk.reviews.undelivered() == FRAMES
    with running(node.part(), tmp_path / "logs"), running(dashboard_part(settings), tmp_path / "logs"):
        wait_for(lambda: desk.reviews.undelivered() == 0, WITHIN_S)
        delivered = came(settings)

    assert {one.verdict_id for one in delivered} == {answer.json()["verdict_id"] for answer in answers}
