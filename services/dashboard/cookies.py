"""The cookie of a login, which scripts cannot read, and the token in our pages that proves that one of them calls."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response

from services.contract.settings import DashboardSettings

CSRF_HEADER = "x-csrf-token"
FORM_S = 3600
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


@dataclass(frozen=True, slots=True)
class Cookies:
    """Names carry the port, since browsers give a host's cookies to all its ports; over TLS they are bound to the host as well."""

    port: int
    secure: bool
    max_age_s: int

    @classmethod
    def of(cls, settings: DashboardSettings) -> "Cookies":
        return cls(settings.port, settings.tls, int(settings.session_hours * 3600))

    @property
    def session(self) -> str:
        return self._name("session")

    @property
    def form(self) -> str:
        """Of the login page, where there is no session yet to derive anything from."""
        return self._name("form")

    def held(self, headers: Headers) -> str | None:
        """What proves who calls."""
        return read(headers, self.session)

    def give(self, answer: Response, secret: str) -> None:
        """Lax: a link from a mail or a chat opens the page, while nothing that changes anything comes along from elsewhere."""
        answer.set_cookie(self.session, secret, self.max_age_s, path="/", secure=self.secure, httponly=True, samesite="lax")
        answer.delete_cookie(self.form, path="/", secure=self.secure, httponly=True, samesite="strict")

    def give_form(self, answer: Response, secret: str) -> None:
        """The form itself sends `csrf_of(secret)` back beside it."""
        answer.set_cookie(self.form, secret, FORM_S, path="/", secure=self.secure, httponly=True, samesite="strict")

    def take(self, answer: Response) -> None:
        answer.delete_cookie(self.session, path="/", secure=self.secure, httponly=True, samesite="lax")

    def _name(self, what: str) -> str:
        return f"{'__Host-' if self.secure else ''}loupe-{what}-{self.port}"


def csrf_of(secret: str) -> str:
    """Belongs to one session, and cannot be turned back into it."""
    return hashlib.sha256(b"csrf:" + secret.encode()).hexdigest()


def is_csrf_of(secret: str, given: str | None) -> bool:
    return given is not None and hmac.compare_digest(csrf_of(secret), given.strip())


def read(headers: Headers, name: str) -> str | None:
    """None too where it is there twice: somebody planted one."""
    values = []
    for header in headers.getlist("cookie"):
        try:
            found = [part for part in header.split(";") if part.strip().startswith(f"{name}=")]
            values += [SimpleCookie(part)[name].value for part in found]
        except (CookieError, KeyError):
            return None
    return values[0] if len(values) == 1 and values[0] else None


def prefix_of(call: HTTPConnection) -> str:
    """What a proxy says stands before our paths; nothing that could name another host."""
    prefix = call.headers.get("x-forwarded-prefix", "")
    return prefix if _PREFIX.fullmatch(prefix) and ".." not in prefix else ""
