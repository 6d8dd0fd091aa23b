"""Browsers that share nothing, opened on one dashboard: a page that reaches anything else, or whose script fails, fails the test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

WITHIN_MS = 30_000
Open = Callable[..., Any]


@contextmanager
def pages(browser: Any, home: str, *, width: int = 1280, height: int = 900) -> Iterator[Open]:
    """What opens a page, each in a context of its own made with whatever is given (cookies as `storage_state`)."""
    problems: list[str] = []
    contexts = []

    def opened(**options: Any) -> Any:
        context = browser.new_context(base_url=home, viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda asked: problems.append(f"asked {asked.url}") if not asked.url.startswith((home, "data:", "blob:")) else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not problems
