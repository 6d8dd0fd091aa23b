"""Fetches what packages do not carry: Kafka's jars, and for tests a browser. `python -m infra.embedded.fetch [--browser]`."""

import shutil
import subprocess
import sys

from rich.console import Console

from infra.embedded.jars import JarError, fetch, missing
from infra.embedded.java import JavaNotFoundError, find_java
from infra.embedded.redis import RedisNotFoundError, find_redis

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def main() -> int:
    console = Console(stderr=True)
    try:
        find_java()
        find_redis()
        if missing():
            with console.status("fetching Kafka's jars ..."):
                fetch()
    except (JarError, JavaNotFoundError, RedisNotFoundError) as error:
        console.print(str(error), markup=False)
        return 1
    if "--browser" in sys.argv[1:] and installed_browser() is None:
        _download_browser(console)
    return 0


def installed_browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def _download_browser(console: Console) -> None:
    """Without one the browser tests skip and say so; everything else runs."""
    done = subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, text=True, check=False)
    if done.returncode:
        console.print("no browser: install Chrome or Chromium for the browser tests (Debian: apt install chromium)", markup=False)


if __name__ == "__main__":
    sys.exit(main())
