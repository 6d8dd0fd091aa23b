"""The image, read line by line: what it copies exists and is let in, what the packages need is in the wheel, and root stays outside."""

import fnmatch
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = [line.split(maxsplit=1) for line in (ROOT / "infra" / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = [pattern.removesuffix("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]]
CODE = {".py", ".pyc"}


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in LINES if name == instruction]


def copied() -> list[str]:
    """Sources of COPY from the repository."""
    return [source for rest in arguments("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]]


def let_in() -> set[str]:
    return {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    assert [source for source in copied() if not (ROOT / source).exists()] == []
    assert set(copied()) == let_in()


def test_every_package_is_copied() -> None:
    assert set(PACKAGES) <= set(copied())


def test_base_images_are_pinned_to_the_python_that_the_project_wants() -> None:
    images = [rest.split()[0] for rest in arguments("FROM")]

    assert len(set(images)) == 1
    version = re.fullmatch(r"python:(\d+)\.(\d+)\.\d+-slim-\w+", images[0])
    assert version is not None
    assert (int(version[1]), int(version[2])) >= (3, 11)


def test_packages_come_by_their_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = [line for line in lock.splitlines() if re.match(r"\w", line)]

    assert any("--require-hashes" in rest and "requirements.lock" in rest for rest in arguments("RUN"))
    assert all("==" in line for line in pinned)
    assert lock.count("--hash=sha256:") >= len(pinned)
    assert "://" not in lock


def test_what_builds_the_wheel_is_locked_too() -> None:
    [build] = [re.split(r"[><=]", name)[0] for name in PROJECT["build-system"]["requires"]]

    assert any("--no-build-isolation" in rest for rest in arguments("RUN"))
    assert re.search(rf"^{build}==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)


def test_it_does_not_run_as_root() -> None:
    last = [name for name, _ in LINES][::-1].index("USER")

    assert arguments("USER") == ["loupe"]
    assert not any(name in ("RUN", "COPY", "ADD") for name, _ in LINES[len(LINES) - last :])
    assert any("useradd" in rest and "loupe" in rest for rest in arguments("RUN"))


def test_its_home_is_the_one_that_compose_mounts() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    [home] = arguments("VOLUME")

    assert f"home:{home}" in compose
    assert f"LOUPE_HOME={home}" in " ".join(arguments("ENV"))


def test_its_command_is_a_console_script() -> None:
    [command] = arguments("CMD")

    assert re.findall(r'"(\w+)"', command)[0] in PROJECT["project"]["scripts"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_that_a_package_needs_is_in_the_wheel(package: str) -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    files = [path for path in (ROOT / package).rglob("*") if path.is_file() and path.suffix not in CODE and "__pycache__" not in path.parts]
    documents = {".md", ""}  # for people, and Dockerfiles

    left_out = [path for path in files if not any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)]
    assert sorted(str(path.relative_to(ROOT)) for path in left_out if path.suffix not in documents) == []
