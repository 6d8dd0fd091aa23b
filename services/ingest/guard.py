"""Every HTTP call -> let through, or refused by its Host and Origin.

Any web page can make a browser call a loopback address, under a name of its own too (DNS rebinding); cameras send no Origin.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.contract.settings import LOOPBACK


class Guard:
    """ASGI middleware. `public_hosts` are names beside loopback under which cameras reach us."""

    def __init__(self, app: ASGIApp, *, public_hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(name.lower() for name in (*LOOPBACK, *public_hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self.refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"detail": refusal}, status_code=403)(scope, receive, send)

    def refusal(self, headers: Headers) -> str | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or _name(hosts[0]) not in self._hosts:
            return f"Host: expected one of {sorted(self._hosts)}, got {', '.join(hosts) or 'none'}"
        if origins and urlsplit(origins[0]).netloc.lower() != hosts[0].lower():
            return f"Origin: expected none, or a page of {hosts[0]}, got {', '.join(origins)}"
        return None


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
