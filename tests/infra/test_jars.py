"""The lock decides which jars run, byte for byte."""

import hashlib
from pathlib import Path

import pytest

from infra.embedded.jars import Jar, JarError, fetch, read_lock

BYTES = b"a jar"


@pytest.fixture
def jar() -> Jar:
    return Jar("org.example", "thing", "1.2", hashlib.sha256(BYTES).hexdigest())


def test_the_lock_names_kafka_and_a_hash_for_every_jar() -> None:
    jars = read_lock()

    assert "kafka_2.13" in {jar.artifact for jar in jars}
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars)


def test_a_line_that_is_no_coordinate_and_hash_is_quoted(tmp_path: Path) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text("org.example:thing 12ab\n")

    with pytest.raises(JarError, match=r"got 'org\.example:thing 12ab'"):
        read_lock(lock)


def test_a_jar_that_is_there_is_not_fetched_again(jar: Jar, tmp_path: Path) -> None:
    folder = fetch([jar], folder=tmp_path / "jars", download=_writer(tmp_path, BYTES))

    fetch([jar], folder=folder, download=_refuse)

    assert (folder / "thing-1.2.jar").read_bytes() == BYTES


def test_a_jar_damaged_in_the_cache_is_fetched_again(jar: Jar, tmp_path: Path) -> None:
    folder = tmp_path / "jars"
    folder.mkdir()
    (folder / jar.file_name).write_bytes(b"half a j")

    fetch([jar], folder=folder, download=_writer(tmp_path, BYTES))

    assert (folder / jar.file_name).read_bytes() == BYTES


def test_other_bytes_than_the_lock_names_are_thrown_away(jar: Jar, tmp_path: Path) -> None:
    with pytest.raises(JarError, match=r"org\.example:thing:1\.2: expected SHA-256"):
        fetch([jar], folder=tmp_path / "jars", download=_writer(tmp_path, b"something else"))

    assert not (tmp_path / "fetched").exists()
    assert not (tmp_path / "jars" / jar.file_name).exists()


def _writer(folder: Path, contents: bytes):  # type: ignore[no-untyped-def]
    def download(jar: Jar) -> Path:
        path = folder / "fetched"
        path.write_bytes(contents)
        return path

    return download


def _refuse(jar: Jar) -> Path:
    raise AssertionError(f"{jar.coordinate} was fetched")
