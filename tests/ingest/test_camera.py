"""A camera's frames: in order, none lost where it waits, counted where it drops."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.bus.errors import BrokerUnreachableError, BufferFullError, RecordTooLargeError
from services.contract.frame import Frame
from services.ingest.camera import Camera, CameraPlan, new_session
from services.ingest.outlet import Outlet
from services.ingest.pace import Backoff
from services.ingest.tally import Tally

Until = Callable[[Callable[[], Any]], None]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(b"\xff\xd8\xff" + bytes([number]))
    return tmp_path


def camera(outlet: Outlet, source: object, *, when_full: Any = "wait", loop: int = 0) -> Camera:
    plan = CameraPlan("bolts", "cam1", f"folder:{source}?fps=0&loop={loop}", product="m8", when_full=when_full)
    return Camera(plan, outlet, Tally(), backoff=Backoff(first_s=0.01), session="s1")


def test_pictures_become_frames_in_order(outlet: Outlet, publisher: Any, pictures: Path) -> None:
    running = camera(outlet, pictures)

    running.run()

    assert publisher.frame_ids == [f"bolts/cam1/s1/{number}" for number in range(6)]
    assert [value[-1] for value, _, _ in publisher.sent] == list(range(6))
    assert {key for _, key, _ in publisher.sent} == {b"bolts/cam1"}
    assert publisher.sent[0][2]["ce_product"] == b"m8"
    assert running.tally.sent == 6
    assert Frame.from_record(list(publisher.sent[3][2].items()), publisher.sent[3][0]).part_id == "3"


def test_a_changeover_is_followed_without_a_new_start(outlet: Outlet, publisher: Any, pictures: Path, until: Until) -> None:
    running = camera(outlet, pictures, loop=1)
    running.start()
    until(lambda: len(publisher.sent) > 3)

    assert running.follow(replace(running.plan, product="m10"))
    until(lambda: publisher.sent[-1][2]["ce_product"] == b"m10")
    running.stop()
    running.join(10)

    assert publisher.frame_ids == [f"bolts/cam1/s1/{number}" for number in range(len(publisher.sent))]
    assert not running.follow(replace(running.plan, source="push:"))


def test_a_source_that_ends_is_down_and_says_so(outlet: Outlet, pictures: Path) -> None:
    running = camera(outlet, pictures)

    running.run()

    assert (running.tally.state, running.tally.error) == ("down", "the source ended after 6 frames")


def test_only_acknowledged_frames_count_as_sent(outlet: Outlet, publisher: Any, pictures: Path, until: Until) -> None:
    publisher.holding = True
    running = camera(outlet, pictures)
    running.start()
    until(lambda: len(publisher.sent) == 6)

    assert running.tally.sent == 0
    assert outlet.stalled_s > 0

    publisher.acknowledge()
    running.join(10)
    assert running.tally.sent == 6
    assert outlet.stalled_s == 0


@pytest.mark.parametrize("error", [BufferFullError("full"), BrokerUnreachableError("away")])
def test_a_camera_that_waits_loses_nothing(outlet: Outlet, publisher: Any, pictures: Path, until: Until, error: Exception) -> None:
    publisher.refusal = error
    running = camera(outlet, pictures)
    running.start()
    until(lambda: "kafka is slow or away" in running.tally.error)

    publisher.refusal = None
    running.join(10)

    assert publisher.frame_ids == [f"bolts/cam1/s1/{number}" for number in range(6)]
    assert (running.tally.sent, running.tally.dropped) == (6, 0)


def test_a_camera_that_drops_counts_what_it_dropped_and_leaves_a_gap(outlet: Outlet, publisher: Any, pictures: Path, until: Until) -> None:
    publisher.refusal = BufferFullError("full")
    running = camera(outlet, pictures, when_full="drop", loop=1)
    running.start()
    until(lambda: running.tally.dropped >= 3)
    publisher.refusal = None
    until(lambda: running.tally.sent >= 3)

    running.stop()
    running.join(10)
    assert int(publisher.frame_ids[0].rsplit("/")[-1]) == running.tally.dropped


def test_frames_that_failed_after_all_are_sent_again_in_order(outlet: Outlet, publisher: Any, pictures: Path, until: Until) -> None:
    publisher.holding = True
    running = camera(outlet, pictures)
    running.start()
    until(lambda: len(publisher.sent) == 6)

    publisher.holding = False
    publisher.acknowledge(BrokerUnreachableError("gone"))
    running.join(10)

    assert publisher.frame_ids[6:] == publisher.frame_ids[:6]
    assert (running.tally.sent, running.tally.dropped) == (6, 0)


def test_a_picture_that_kafka_would_never_take_is_dropped_and_the_rest_goes_on(outlet: Outlet, publisher: Any, pictures: Path) -> None:
    publisher.refusal = RecordTooLargeError("too large")
    running = camera(outlet, pictures)

    running.run()

    assert running.tally.dropped == 6


def test_a_dead_source_is_shown_as_down_and_tried_again(outlet: Outlet, tmp_path: Path, until: Until) -> None:
    folder = tmp_path / "later"
    running = camera(outlet, folder, loop=1)
    running.start()
    until(lambda: running.tally.state == "down")
    assert f"folder {folder}: expected a folder, found nothing" in running.tally.error

    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff")
    until(lambda: running.tally.sent > 2)

    assert running.tally.state == "up"
    running.stop()
    running.join(10)
    assert not running.running


def test_sessions_are_ids_that_sort_by_time() -> None:
    sessions = [new_session(lambda at=at: at) for at in (1.7e9, 1.7e9 + 1, 1.8e9)]

    assert sessions == sorted(sessions)
    assert sessions[0] == "loyw3v28"
