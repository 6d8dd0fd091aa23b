"""Passwords and tokens in files that only their owner reads."""

import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replaces the file whole; mode 0600 from its first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    partial.replace(path)


def kept_secret(path: Path) -> str:
    """The secret in the file, made on first use."""
    if not path.is_file():
        write_private(path, secrets.token_hex(24))
    return path.read_text().strip()
