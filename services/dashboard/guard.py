"""Every HTTP and WebSocket call -> let through, or refused, by Host and Origin; and the headers that keep browsers careful.

Any web page can make a browser call a loopback address, under a name of its own too (DNS rebinding). So a call must name a host that is
ours, and, where a browser says which page it comes from, that page must be ours. Pure ASGI: NiceGUI's socket and /ws/live pass here as well.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.contract.settings import LOOPBACK

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Vue compiles templates in the browser
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """ASGI middleware. `public_hosts` are names beside loopback under which browsers may reach us."""

    def __init__(self, app: ASGIApp, *, public_hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(name.lower() for name in (*LOOPBACK, *public_hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        refusal = self.refusal(Headers(scope=scope), scope.get("method", "GET"))
        if refusal is not None:
            return await _refuse(refusal, scope, receive, send)
        await self._app(scope, receive, _careful(send) if scope["type"] == "http" else send)

    def refusal(self, headers: Headers, method: str) -> str | None:
        """Why a call with these headers is refused; None where it may pass."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _host_name(hosts[0]) not in self._hosts:
            return f"Host: expected one of {sorted(self._hosts)}, got {', '.join(hosts) or 'none'}"
        origins = headers.getlist("origin")
        if origins and not self._ours(origins, hosts[0]):
            return f"Origin: expected a page of {hosts[0]}, got {', '.join(origins)}"
        if not origins and method not in SAFE_METHODS and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return "Sec-Fetch-Site: expected a page of ours"
        return None

    def _ours(self, origins: Sequence[str], host: str) -> bool:
        """The page's own address is the one called; behind a proxy that changes ports or Host, its name is a public one."""
        origin = urlsplit(origins[0])
        if len(origins) != 1 or origin.scheme not in ("http", "https"):
            return False
        return origin.netloc.lower() == host.lower() or _host_name(origin.netloc) in self._hosts.difference(LOOPBACK)


def _host_name(host: str) -> str:
    """`name:port`, `[::1]:port` or `name` -> the name; empty where it is no host."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


async def _refuse(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # the opening, answered by 403
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
    else:
        await JSONResponse({"detail": reason}, status_code=403, headers=SECURITY_HEADERS)(scope, receive, send)


def _careful(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
