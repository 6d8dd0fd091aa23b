"""/login, /logout and /password: plain HTML forms, since only an HTTP answer can set a cookie that scripts cannot read."""

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from starlette.background import BackgroundTask
from starlette.responses import RedirectResponse, Response

from services.dashboard.attempts import Attempts
from services.dashboard.cookies import Cookies, csrf_of, is_csrf_of, prefix_of, read
from services.dashboard.forms import form_page, local_path
from services.dashboard.gate import address_of, caller_of
from services.dashboard.people import People
from services.records.accounts import User
from services.records.audit import Actor
from services.records.errors import UnknownSessionError, UnknownUserError, WeakPasswordError

log = logging.getLogger(__name__)

LARGEST_FORM = 8 * 1024
CHECKERS = 2
"""Passwords checked at once: each takes 64 MiB for a moment."""
WRONG = "The name or the password is wrong."
STALE = "This form is too old. Try again."


class _RefusedError(Exception):
    """`afterwards` is done when the answer has left: how long that takes must not tell which names exist."""

    def __init__(self, status: int, says: str, *, wait_s: float = 0.0, afterwards: BackgroundTask | None = None) -> None:
        super().__init__(says)
        self.status, self.says, self.wait_s, self.afterwards = status, says, wait_s, afterwards

    def marked(self, answer: Response) -> Response:
        answer.background = self.afterwards
        if self.wait_s > 0:
            answer.headers["retry-after"] = str(math.ceil(self.wait_s))
        return answer


class Entrance:
    """Who may come in, and how often somebody may try."""

    def __init__(self, people: People, cookies: Cookies, *, site: str, now: Callable[[], float] = time.monotonic) -> None:
        self._people, self._cookies, self._site, self._now = people, cookies, site, now
        self._attempts = Attempts()
        self._checking = asyncio.Semaphore(CHECKERS)

    def add_to(self, app: FastAPI) -> None:
        for path, method, handler in (
            ("/login", "GET", self.login_page),
            ("/login", "POST", self.log_in),
            ("/logout", "POST", self.log_out),
            ("/password", "GET", self.password_page),
            ("/password", "POST", self.change_password),
        ):
            app.add_api_route(path, handler, methods=[method], include_in_schema=False, response_model=None)

    async def login_page(self, request: Request) -> Response:
        return self._login_form(request, local_path(request.query_params.get("next")))

    async def log_in(self, request: Request) -> Response:
        fields = await _fields(request)
        wanted = local_path(fields.get("next"))
        name, address = fields.get("name", "").strip().lower(), address_of(request)
        form = read(request.headers, self._cookies.form)
        if form is None or not is_csrf_of(form, fields.get("csrf")):
            return self._login_form(request, wanted, status=403, problem=STALE, name=name)
        try:
            user = await self._checked(name, fields.get("password", ""), address, "login")
            secret, _ = await asyncio.to_thread(self._people.logins.open, user.name, address=address, browser=request.headers.get("user-agent", ""))
        except _RefusedError as refused:
            return refused.marked(self._login_form(request, wanted, status=refused.status, problem=refused.says, name=name))
        except UnknownUserError:  # disabled meanwhile
            return self._login_form(request, wanted, status=401, problem=WRONG, name=name)
        await self._end_held(request)
        return self._go(request, "/password" if user.must_change else wanted, secret)

    async def log_out(self, request: Request) -> Response:
        fields, held = await _fields(request), self._cookies.held(request.headers)
        if held is None or not is_csrf_of(held, fields.get("csrf")):
            return form_page("notice", prefix_of(request), status=403, title="Not logged out", text=STALE)
        await self._end_held(request)
        answer = RedirectResponse(f"{prefix_of(request)}/login", status_code=303)
        self._cookies.take(answer)
        return answer

    async def password_page(self, request: Request) -> Response:
        return self._password_form(request)

    async def change_password(self, request: Request) -> Response:
        caller, address = caller_of(request), address_of(request)
        fields, held = await _fields(request), self._cookies.held(request.headers)
        if caller.is_machine or held is None or not is_csrf_of(held, fields.get("csrf")):
            return self._password_form(request, status=403, problem=STALE)
        chosen = fields.get("chosen", "")
        if chosen != fields.get("again"):
            return self._password_form(request, status=422, problem="The two new passwords differ.")
        try:
            await self._checked(caller.name, fields.get("password", ""), address, "password")
            if chosen == fields.get("password"):
                raise _RefusedError(422, "Choose another one than now.")
            async with self._checking:
                await asyncio.to_thread(self._people.accounts.change_password, caller.name, chosen, by=caller.actor(address))
        except _RefusedError as refused:
            says = "The present password is wrong." if refused.says == WRONG else refused.says
            return refused.marked(self._password_form(request, status=refused.status, problem=says))
        except WeakPasswordError as error:
            return self._password_form(request, status=422, problem=str(error).capitalize() + ".")
        secret, _ = await asyncio.to_thread(self._people.logins.open, caller.name, address=address, browser=request.headers.get("user-agent", ""))
        return self._go(request, "/", secret)

    async def _checked(self, name: str, password: str, address: str, why: str) -> User:
        """Raises _RefusedError: 429 after too many failures, 401 for a wrong name or password, which take the same time."""
        wait_s = self._attempts.wait_s(name, address, self._now())
        if wait_s > 0:
            raise _RefusedError(429, f"Too many attempts. Try again in {_words(wait_s)}.", wait_s=wait_s)
        self._attempts.failed(name, address, self._now())
        async with self._checking:
            user = await asyncio.to_thread(self._people.accounts.check, name, password)
        if user is None:
            log.info("%s refused: from %s", why, address)
            raise _RefusedError(401, WRONG, afterwards=BackgroundTask(self._note_failure, name, address, why))
        self._attempts.succeeded(name, address)
        return user

    def _note_failure(self, name: str, address: str, why: str) -> None:
        """Of users that exist: anything else may be a password typed into the wrong field."""
        blocked = self._attempts.wait_s(name, address, self._now()) > 0
        if any(user.name == name for user in self._people.accounts.users()):
            self._people.audit.add(Actor(name, "", address), f"{why}.refused", name, {"blocked": True} if blocked else None)

    async def _end_held(self, request: Request) -> None:
        """The session that this browser held until now, if any."""
        held = self._cookies.held(request.headers)
        caller = await asyncio.to_thread(self._people.logins.of_session, held, used=False) if held else None
        if caller is None or caller.session_id is None:
            return
        try:
            await asyncio.to_thread(self._people.logins.close, caller.session_id, by=caller.actor(address_of(request)))
        except UnknownSessionError:
            log.debug("session of %s: had ended already", caller.name)

    def _go(self, request: Request, path: str, secret: str) -> Response:
        answer = RedirectResponse(prefix_of(request) + path, status_code=303)
        self._cookies.give(answer, secret)
        return answer

    def _login_form(self, request: Request, wanted: str, *, status: int = 200, problem: str = "", name: str = "") -> Response:
        secret = read(request.headers, self._cookies.form) or secrets.token_urlsafe(32)  # another tab's form stays good
        values = {"csrf": csrf_of(secret), "next": wanted, "name": name[:40], "site": self._site}
        answer = form_page("login", prefix_of(request), status=status, problem=problem, **values)
        self._cookies.give_form(answer, secret)
        return answer

    def _password_form(self, request: Request, *, status: int = 200, problem: str = "") -> Response:
        caller, held = caller_of(request), self._cookies.held(request.headers)
        why = "This one was made by somebody else: choose one that only you know." if caller.must_change else "All your other logins end with it."
        values = {"csrf": csrf_of(held) if held else "", "name": caller.name, "why": why}
        return form_page("password", prefix_of(request), status=status, problem=problem, **values)


async def _fields(request: Request) -> dict[str, str]:
    """A small urlencoded form; anything else is empty."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            return {}
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=16))
    except ValueError:  # not UTF-8, or too many fields
        return {}


def _words(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < 90 else f"{math.ceil(seconds / 60)} min"
