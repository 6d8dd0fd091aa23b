"""Every HTTP and WebSocket call -> let through with who calls, or turned away; a socket is ended as soon as its session is.

Pure ASGI, inside the guard: NiceGUI's pages and its socket pass here as well. What the table of access.py does not name stays shut.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Depends, HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.dashboard.access import ANYBODY, UNDECIDED, needed
from services.dashboard.cookies import CSRF_HEADER, Cookies, is_csrf_of, prefix_of
from services.dashboard.forms import form_page
from services.dashboard.guard import SAFE_METHODS, SECURITY_HEADERS
from services.records.accounts import Role
from services.records.errors import RecordsError
from services.records.logins import Caller, Logins

log = logging.getLogger(__name__)

CHECK_S = 3.0
ENDED = 4401
"""Close code of a socket whose session has ended."""
FORMS = frozenset({"/logout", "/password"})
"""Plain HTML forms: their handlers read the CSRF token from the body."""


@dataclass(frozen=True, slots=True)
class _Proof:
    """What a call shows: a cookie of a browser, or a token of a machine."""

    cookie: str | None = None
    token: str | None = None


class Gate:
    """ASGI middleware. Who calls is `request.state.caller` from here on."""

    def __init__(self, app: ASGIApp, *, logins: Logins, cookies: Cookies, check_s: float = CHECK_S) -> None:
        self._app, self._logins, self._cookies, self._check_s = app, logins, cookies, check_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        proof = self._proof(Headers(scope=scope))
        try:
            caller = await self._caller(proof)
        except RecordsError as error:
            log.warning("nobody can be let in: %s", error)
            return await _turn_away(_problem(scope, 503, "who calls cannot be checked: the records do not answer"), scope, receive, send)
        refusal = self._refusal(scope, proof, caller)
        if refusal is not None:
            return await _turn_away(refusal, scope, receive, send)
        scope.setdefault("state", {})["caller"] = caller
        if scope["type"] == "http":
            await self._app(scope, receive, _unstored(send))
        else:
            await self._while_allowed(proof, scope, receive, send)

    def _proof(self, headers: Headers) -> _Proof:
        """A call that shows a token is judged by it alone."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        return _Proof(token=token.strip()) if kind.lower() == "bearer" else _Proof(cookie=self._cookies.held(headers))

    async def _caller(self, proof: _Proof, *, used: bool = True) -> Caller | None:
        if proof.token is not None:
            return await asyncio.to_thread(self._logins.of_token, proof.token)
        return await asyncio.to_thread(self._logins.of_session, proof.cookie, used=used) if proof.cookie else None

    def _refusal(self, scope: Scope, proof: _Proof, caller: Caller | None) -> Response | None:
        """Why this call is turned away, as its answer; None where it may pass."""
        method, path = _method(scope), scope["path"]
        need = needed(method, path)
        if need == ANYBODY:
            return None
        if caller is None:
            return _anonymous(scope)
        if caller.must_change and path not in UNDECIDED:
            return _choose_first(scope)
        if need is None:
            return _problem(scope, 404, f"{path}: no such path")
        if not caller.role.covers(need):
            return _problem(scope, 403, f"{method} {path}: expected role {need.value} or above, got {caller.role.value}")
        return self._forgery(scope, proof)

    def _forgery(self, scope: Scope, proof: _Proof) -> Response | None:
        """A browser sends its cookie along whoever asks it to, so what changes something must prove to come from a page of ours."""
        headers, method = Headers(scope=scope), _method(scope)
        if proof.cookie is None or method in SAFE_METHODS:
            return None
        if method == "WS":
            return None if "origin" in headers else _problem(scope, 403, "Origin: expected a page of ours, got none")
        if scope["path"] in FORMS or is_csrf_of(proof.cookie, headers.get(CSRF_HEADER)):
            return None
        return _problem(scope, 403, f"{CSRF_HEADER}: expected the token in the head of this login's pages")

    async def _while_allowed(self, proof: _Proof, scope: Scope, receive: Receive, send: Send) -> None:
        """The socket, until either side leaves or whoever opened it may no longer have it."""
        socket = _Socket(receive, send)
        watching = asyncio.create_task(self._watch(proof, scope, socket))
        try:
            await self._app(scope, socket.receive, socket.send)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, proof: _Proof, scope: Scope, socket: "_Socket") -> None:
        opened_by: Caller = scope["state"]["caller"]
        while True:
            await asyncio.sleep(self._check_s)
            try:
                caller = await self._caller(proof, used=opened_by.role is Role.OPERATOR)  # who only watches need not touch anything
            except RecordsError as error:
                log.debug("%s stays: whether it may cannot be checked: %s", scope["path"], error)
                continue
            if caller is None or caller.role is not opened_by.role:
                log.info("%s of %s ends: the login has", scope["path"], opened_by.name)
                return await socket.end()


class _Socket:
    """ASGI's two ends of a WebSocket, with an end that we can bring about: the application hears that the browser has left."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._ended = asyncio.Event()

    async def end(self) -> None:
        self._ended.set()
        with suppress(RuntimeError, OSError):
            await self._send({"type": "websocket.close", "code": ENDED})

    async def receive(self) -> Message:
        hearing, ending = asyncio.ensure_future(self._receive()), asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((hearing, ending), return_when=asyncio.FIRST_COMPLETED)
            return {"type": "websocket.disconnect", "code": ENDED} if self._ended.is_set() else hearing.result()
        finally:
            hearing.cancel()
            ending.cancel()

    async def send(self, message: Message) -> None:
        if not self._ended.is_set():
            await self._send(message)


def at_least(role: Role) -> Any:
    """For a page or route itself: asks again what the table asked, so that a row in the wrong place opens nothing."""

    def check(call: HTTPConnection) -> None:
        caller: Caller | None = getattr(call.state, "caller", None)
        if caller is None or not caller.role.covers(role):
            raise HTTPException(403, f"{call.url.path}: expected role {role.value} or above")

    return Depends(check)


def caller_of(call: HTTPConnection) -> Caller:
    """Who calls, in a handler behind the gate."""
    caller: Caller = call.state.caller
    return caller


def address_of(call: HTTPConnection) -> str:
    return call.client.host if call.client else ""


def _method(scope: Scope) -> str:
    return "WS" if scope["type"] == "websocket" else str(scope["method"])


def _is_page(scope: Scope) -> bool:
    return scope["type"] == "http" and not scope["path"].startswith(("/api/", "/_nicegui", "/assets/", "/ws/"))


def _anonymous(scope: Scope) -> Response:
    if not _is_page(scope) or scope["method"] not in ("GET", "HEAD"):
        answer = _problem(scope, 401, "log in, or send `Authorization: Bearer <token>`")
        answer.headers["www-authenticate"] = "Bearer"
        return answer
    query = scope["query_string"].decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    return _to(scope, "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='/')}")


def _choose_first(scope: Scope) -> Response:
    if _is_page(scope) and scope["method"] in ("GET", "HEAD"):
        return _to(scope, "/password")
    return _problem(scope, 403, "choose a password of your own first, at /password")


def _to(scope: Scope, path: str) -> Response:
    return RedirectResponse(prefix_of(HTTPConnection(scope)) + path, status_code=303)


def _problem(scope: Scope, status: int, detail: str) -> Response:
    if _is_page(scope):
        return form_page("notice", prefix_of(HTTPConnection(scope)), status=status, title=HTTPStatus(status).phrase, text=detail)
    return JSONResponse({"detail": detail}, status_code=status)


async def _turn_away(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # the opening, answered by 403
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    answer.headers.update({**SECURITY_HEADERS, "cache-control": "no-store"})
    await answer(scope, receive, send)


def _unstored(send: Send) -> Callable[[Message], Any]:
    """What somebody may see is not kept for whoever sits down next, unless the answer says that it may be."""

    async def send_unstored(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("cache-control", "no-store")
        await send(message)

    return send_unstored
