from pathlib import Path

import pytest

from services.contract.settings import ArchiveSettings, Settings
from services.results.archive import Archive, ArchiveError

DAY_S = 86_400.0


class Clock:
    """Starts at the files' own time and is moved by hand."""

    def __init__(self) -> None:
        import time

        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def archive(tmp_path: Path, clock: Clock) -> Archive:
    return Archive(Settings(home=tmp_path, archive=ArchiveSettings(max_gb=3e-6, max_age_days=10)), now=clock)


def test_a_picture_is_named_by_its_content_and_stored_once(archive: Archive, tmp_path: Path) -> None:
    path = archive.put("frames", b"a picture")

    assert archive.put("frames", b"a picture") == path
    assert path.startswith("frames/")
    assert archive.get(path) == b"a picture"
    assert len([found for found in (tmp_path / "archive").rglob("*") if found.is_file()]) == 1


def test_masks_are_a_kind_of_their_own_and_swept_like_the_others(archive: Archive, clock: Clock) -> None:
    mask, pinned = archive.put("masks", b"a mask"), archive.put("masks", b"a mask of a verdict")
    clock.now += 11 * DAY_S

    swept = archive.sweep([pinned])

    assert mask.startswith("masks/")
    assert (swept.files, swept.dropped_files, archive.get(pinned)) == (2, 1, b"a mask of a verdict")


def test_a_full_disk_says_so(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file where the folder should be")

    with pytest.raises(ArchiveError, match="cannot store"):
        archive.put("frames", b"a picture")


@pytest.mark.parametrize("path", ["frames/../../etc/passwd", "frames/aa/" + "bb" * 32, "/etc/passwd"])
def test_only_its_own_paths_are_read(archive: Archive, path: str) -> None:
    with pytest.raises(ArchiveError, match="expected"):
        archive.get(path)


def test_what_is_too_old_is_dropped(archive: Archive, clock: Clock) -> None:
    old = archive.put("frames", b"old")
    clock.now += 11 * DAY_S

    swept = archive.sweep()

    assert (swept.dropped_files, swept.dropped_bytes) == (1, 3)
    with pytest.raises(ArchiveError):
        archive.get(old)


def test_what_is_used_stays(archive: Archive, clock: Clock) -> None:
    used = archive.put("frames", b"in a dataset")
    clock.now += 11 * DAY_S

    archive.sweep(pinned={used})

    assert archive.get(used) == b"in a dataset"


def test_the_oldest_make_room_but_not_what_came_within_the_hour(archive: Archive, clock: Clock, tmp_path: Path) -> None:
    import os

    paths = [archive.put("frames", bytes([number]) * 1000) for number in range(6)]
    for age, path in enumerate(reversed(paths)):
        os.utime(tmp_path / "archive" / path, (clock.now - age * 1800, clock.now - age * 1800))

    archive.sweep()

    left = [path for path in paths if (tmp_path / "archive" / path).exists()]
    assert left == paths[-3:]
    archive.put("frames", b"6" * 3000)
    archive.sweep()
    assert (tmp_path / "archive" / paths[-1]).exists()


def test_an_object_store_works_too() -> None:
    archive = Archive(Settings(archive=ArchiveSettings(url="memory://loupe-test")))

    path = archive.put("maps", b"a map")

    assert archive.get(path) == b"a map"
    assert archive.sweep().dropped_files == 0
