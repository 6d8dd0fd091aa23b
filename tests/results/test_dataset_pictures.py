"""Where pictures of datasets lie, and what the archive keeps for them."""

import json
from pathlib import Path

import pytest

from services.contract.settings import ArchiveSettings, Settings
from services.results.archive import Archive
from services.results.dataset_pictures import DatasetPictures, pinned_by_datasets


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, archive=ArchiveSettings(max_age_days=1e-9))


def test_what_is_imported_outlives_the_archives_limits_and_frames_of_the_line_are_found_beside_it(settings: Settings) -> None:
    pictures, archive = DatasetPictures(settings), Archive(settings)
    imported, archived = pictures.put("frames", b"from a folder"), archive.put("frames", b"over a line")

    found = [pictures.get(imported), pictures.get(archived)]
    archive.sweep()

    assert found == [b"from a folder", b"over a line"]
    assert pictures.get(imported) == b"from a folder"
    with pytest.raises(FileNotFoundError, match=archived):
        pictures.get(archived)


def test_a_store_that_is_full_is_an_oserror(settings: Settings) -> None:
    settings.datasets_path.mkdir(parents=True)
    (settings.datasets_path / "pictures").write_text("no folder")

    with pytest.raises(OSError, match="cannot store frames/"):
        DatasetPictures(settings).put("frames", b"a picture")


@pytest.mark.parametrize("folder", ["ab" * 32, ".building-1"])
def test_the_archive_keeps_what_a_version_names_while_it_is_being_written_too(folder: str, settings: Settings) -> None:
    archive = Archive(settings)
    kept, mask = archive.put("frames", b"kept"), archive.put("masks", b"mask")
    archive.put("frames", b"dropped")
    version = settings.datasets_path / "versions" / folder
    version.mkdir(parents=True)
    (version / "manifest.jsonl").write_text(json.dumps({"path": kept, "mask_path": mask}) + "\n" + json.dumps({"path": kept}) + "\n")

    archive.sweep(pinned_by_datasets(settings.datasets_path))

    left = {path.name for path in Path(settings.home / "archive").rglob("*") if path.is_file()}
    assert left == {path.rpartition("/")[2] for path in (kept, mask)}


def test_without_datasets_nothing_is_kept_for_them(settings: Settings) -> None:
    assert pinned_by_datasets(settings.datasets_path) == frozenset()
