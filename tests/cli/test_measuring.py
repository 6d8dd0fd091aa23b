"""What a benchmark's numbers rest on: ids, pictures, accounts and CPU times, without a stack."""

import cv2
import numpy as np
import pytest

from services.cli.measuring.accounts import account
from services.cli.measuring.cpu import ray_name, spent
from services.cli.measuring.frames import LIVE_LENGTH, Load, make_pictures


def test_what_never_came_is_lost_and_what_came_twice_is_double() -> None:
    found = account(["a", "b", "c"], ["b", "c", "c", "z"])

    assert (found.lost, found.double, found.strange) == ({"a"}, {"c"}, {"z"})


def test_a_frame_is_lost_if_either_place_lacks_it() -> None:
    found = account(["a", "b"], ["a"]) | account(["a", "b"], ["b", "b"])

    assert (found.lost, found.double) == ({"a", "b"}, {"b"})


def test_every_frame_of_a_load_has_an_id_of_its_own_and_no_line_more_than_its_stream_keeps() -> None:
    load = Load("s1", 2 * LIVE_LENGTH + 1)

    frame_ids = list(load.frame_ids())
    assert len(set(frame_ids)) == load.frames
    assert max(sum(one.startswith(f"{line}/") for one in frame_ids) for line in load.lines) <= LIVE_LENGTH


def test_frames_of_one_camera_are_in_order() -> None:
    load = Load("s1", 200)
    sequences: dict[str, list[int]] = {}

    for frame in load.stream([b"picture"]):
        sequences.setdefault(frame.frame_id.camera_key, []).append(frame.frame_id.sequence)

    assert all(found == list(range(len(found))) for found in sequences.values())


def test_two_processes_make_the_same_ids() -> None:
    assert list(Load("s1", 50).frame_ids()) == [str(frame.frame_id) for frame in Load("s1", 50).stream([b""])]


@pytest.mark.parametrize("size_kb", [3, 100])
def test_pictures_are_jpeg_files_of_exactly_that_size_which_decode_and_do_not_compress(size_kb: int) -> None:
    import zlib

    for picture in make_pictures(size_kb, count=2):
        assert len(picture) == size_kb * 1000
        assert len(zlib.compress(picture)) > 0.9 * len(picture)
        assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) is not None


def test_pictures_differ() -> None:
    assert len(set(make_pictures(10, count=4))) == 4


@pytest.mark.parametrize(
    ("title", "process", "name"),
    [
        ("ray::ServeReplica:bench-1-loupe:Inspector", "ray::ServeRepli", "Inspector"),
        ("ray::ServeReplica:bench-1-loupe:FrameConsumer", "ray::ServeRepli", "FrameConsumer"),
        ("ray::ServeReplica:loupe:Inspector", "ray::ServeRepli", "other applications"),
        ("ray::ServeController.listen_for_change", "ray::ServeContr", "Serve controller"),
        ("/venv/ray/core/src/ray/raylet/raylet", "raylet", "raylet"),
        ("/venv/ray/core/src/ray/gcs/gcs_server", "gcs_server", "gcs"),
        ("ray::IDLE", "ray::IDLE", "ray, the rest"),
    ],
)
def test_rays_processes_are_named_by_what_they_do(title: str, process: str, name: str) -> None:
    assert ray_name([title], process, "bench-1-loupe") == name


def test_cpu_time_is_a_difference_by_name_the_largest_first() -> None:
    before = {(1, 0.0): ("kafka", 5.0), (2, 0.0): ("Inspector", 1.0)}
    after = {(1, 0.0): ("kafka", 6.0), (2, 0.0): ("Inspector", 4.0), (3, 9.0): ("Inspector", 0.5)}

    assert list(spent(before, after).items()) == [("Inspector", 3.5), ("kafka", 1.0)]
