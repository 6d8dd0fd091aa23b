"""One GET on loopback, past any proxy that the environment names."""

import urllib.error
import urllib.request
from collections.abc import Mapping

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers_to_get(url: str, headers: Mapping[str, str] | None = None, *, timeout_s: float = 3) -> str | None:
    """None if it answers with success, else what is still missing, in a few words."""
    try:
        with _direct.open(urllib.request.Request(url, headers=dict(headers or {})), timeout=timeout_s):
            return None
    except (urllib.error.URLError, OSError) as error:
        return f"{url} to answer ({getattr(error, 'reason', error)})"
