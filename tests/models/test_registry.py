"""Versions are found by name, id and prefix; a changed file is noticed."""

import json
from pathlib import Path

import pytest

from models.preprocessing import Preprocessing
from models.registry import BrokenModelError, ModelNotFoundError, Registry, folder_hash, read_version, resolve, weights_hash


def make_version(folder: Path, weights: bytes = b"weights", **card: object) -> Path:
    (folder / "golden").mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(weights)
    (folder / "version.json").write_text(json.dumps({"format": 1, "config": {"code_size": 32}, "preprocessing": Preprocessing().to_dict()}))
    (folder / "card.json").write_text(json.dumps(card))
    (folder / "golden" / "expected.json").write_text("{}")
    return folder


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def test_an_added_version_is_fetched_by_id_and_by_prefix(registry: Registry, tmp_path: Path):
    added = registry.add(make_version(tmp_path / "new", name="weave"))

    assert registry.fetch(added.id) == registry.fetch(added.id[:8]) == added
    assert added.path == registry.root / added.id
    assert (added.name, added.config, added.preprocessing) == ("weave", {"code_size": 32}, Preprocessing())
    assert (added.path / "golden" / "expected.json").read_text() == "{}"


def test_the_id_is_the_content(registry: Registry, tmp_path: Path):
    first, copy, other = (make_version(tmp_path / name, weights) for name, weights in (("a", b"x"), ("b", b"x"), ("c", b"y")))

    assert registry.add(first).id == registry.add(copy).id == folder_hash(first)
    assert registry.add(other).id != folder_hash(first)
    assert len(registry.list()) == 2


def test_nothing_half_written_stays_behind(registry: Registry, tmp_path: Path):
    registry.add(make_version(tmp_path / "new"))
    registry.add(tmp_path / "new")

    assert len(list(registry.root.iterdir())) == 1


def test_a_changed_file_is_noticed(registry: Registry, tmp_path: Path):
    version = registry.add(make_version(tmp_path / "new"))
    (version.path / "weights.safetensors").write_bytes(b"other")

    with pytest.raises(BrokenModelError, match="changed"):
        registry.fetch(version.id)


def test_two_versions_under_one_prefix_are_not_guessed_between(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hashes = iter(["abcdef" + digit * 58 for digit in "12"] * 4)
    monkeypatch.setattr("models.registry.folder_hash", lambda _: next(hashes))
    for name in ("abcdef" + "1" * 58, "abcdef" + "2" * 58):
        make_version(registry.root / name)

    with pytest.raises(ModelNotFoundError, match="one version"):
        registry.fetch("abcdef")


@pytest.mark.parametrize("reference", ["nosuch", "abc", "../etc", "0" * 64])
def test_an_unknown_reference_is_named(registry: Registry, reference: str):
    with pytest.raises(ModelNotFoundError, match=reference):
        registry.fetch(reference)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("version.json", "not json", "expected JSON"),
        ("version.json", "[]", "expected a JSON object, got list"),
        ("version.json", '{"config": {}}', "preprocessing"),
        ("version.json", '{"config": {}, "preprocessing": {"side": 100}}', "multiple of 32"),
        ("weights.safetensors", None, r"expected weights\.safetensors"),
    ],
)
def test_a_broken_folder_says_what_is_wrong(tmp_path: Path, file: str, content: str | None, message: str):
    folder = make_version(tmp_path / "new")
    (folder / file).unlink() if content is None else (folder / file).write_text(content)

    with pytest.raises(BrokenModelError, match=message):
        read_version(folder)


def test_links_are_not_followed(registry: Registry, tmp_path: Path):
    folder = make_version(tmp_path / "new")
    (folder / "golden" / "secret").symlink_to("/etc/hostname")

    with pytest.raises(BrokenModelError, match="plain files"):
        registry.add(folder)


def test_a_command_names_a_folder_or_a_version(registry: Registry, tmp_path: Path):
    folder = make_version(tmp_path / "new")
    version = registry.add(folder)

    assert resolve(str(folder), registry.root).path == folder
    assert resolve(version.id[:10], registry.root) == version


def test_a_calibration_suggested_for_other_weights_is_refused(tmp_path: Path):
    folder = make_version(tmp_path / "new")
    suggestion = {"review": 0.3, "fail": 0.5, "map_threshold": 0.4, "weights_sha256": weights_hash(folder)}
    (folder / "card.json").write_text(json.dumps({"calibrations": {"weave": suggestion}}))
    assert read_version(folder).suggested_calibration("weave") == suggestion
    assert read_version(folder).suggested_calibration("tiles") is None

    (folder / "weights.safetensors").write_bytes(b"trained again")

    with pytest.raises(BrokenModelError, match="other weights"):
        read_version(folder).suggested_calibration("weave")
