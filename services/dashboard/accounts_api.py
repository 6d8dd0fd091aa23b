"""REST under /api/v1 for accounts: who calls, users and their sessions, tokens of machines, the audit with its export."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from services.contract.names import checked_id
from services.dashboard.gate import address_of, at_least, caller_of
from services.dashboard.people import People
from services.dashboard.views import Problem, View
from services.records.accounts import Role, User
from services.records.audit import Actor, Deed
from services.records.logins import Login, Token

Name = Annotated[str, Path(description="user or token", examples=["anna"])]
NewName = Annotated[str, AfterValidator(partial(checked_id, what="name"))]
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 409: {"model": Problem}, 422: {"model": Problem}}
EXPORTED_AT_ONCE = 500
COLUMNS = ("id", "at", "user", "role", "action", "subject", "details", "address")


class CallerView(View):
    name: str
    role: Role
    machine: bool
    must_change: bool
    expires_at: AwareDatetime | None


class UserView(View):
    name: str
    role: Role
    disabled: bool
    must_change: bool = Field(description="has not chosen a password since somebody else made one")
    created_at: AwareDatetime
    password_at: AwareDatetime
    sessions: int
    seen_at: AwareDatetime | None

    @classmethod
    def of(cls, user: User, logins: Sequence[Login]) -> Self:
        own = [login for login in logins if login.user == user.name]
        same = ("name", "role", "disabled", "must_change", "created_at", "password_at")
        return cls(**{name: getattr(user, name) for name in same}, sessions=len(own), seen_at=max((login.seen_at for login in own), default=None))


class NewUser(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: NewName
    role: Role


class UserChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    disabled: bool | None = None


class OneTime(View):
    name: str
    password: str = Field(description="shown only now; good for choosing another")


class SessionView(View):
    id: str
    user: str
    created_at: AwareDatetime
    seen_at: AwareDatetime
    expires_at: AwareDatetime
    address: str
    browser: str
    here: bool = Field(description="the one that asks")

    @classmethod
    def of(cls, login: Login, asking: str | None) -> Self:
        return cls(
            **{name: getattr(login, name) for name in ("id", "user", "created_at", "seen_at", "expires_at", "address", "browser")}, here=login.id == asking
        )


class TokenView(View):
    name: str
    role: Role
    created_by: str
    created_at: AwareDatetime
    used_at: AwareDatetime | None

    @classmethod
    def of(cls, token: Token) -> Self:
        return cls(**{name: getattr(token, name) for name in cls.model_fields})


class NewToken(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: NewName
    role: Role


class Made(View):
    name: str
    token: str = Field(description="shown only now; sent as `Authorization: Bearer`")


class DeedView(View):
    id: int
    at: AwareDatetime
    user: str
    role: str
    action: str
    subject: str
    details: dict[str, Any]
    address: str

    @classmethod
    def of(cls, deed: Deed) -> Self:
        return cls(**{name: getattr(deed, name) for name in cls.model_fields})


class AuditView(View):
    deeds: tuple[DeedView, ...] = Field(description="newest first")
    users: tuple[str, ...] = Field(description="that occur in the whole table")
    actions: tuple[str, ...]


class Filter(BaseModel):
    """What of the audit is asked for."""

    user: str | None = None
    action: str | None = Field(default=None, description="or how it begins, such as `user.`")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    before: int | None = Field(default=None, ge=1, description="id of the last one of the page before")

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


def actor_of(request: Request) -> Actor:
    """Whoever calls, as the audit names them."""
    return caller_of(request).actor(address_of(request))


By = Annotated[Actor, Depends(actor_of)]


def create_accounts_router(people: People) -> APIRouter:
    router, admins = APIRouter(prefix="/api/v1"), APIRouter(dependencies=[at_least(Role.ADMIN)])
    _add_session(router)
    for add in (_add_users, _add_sessions, _add_tokens, _add_audit):
        add(admins, people)
    router.include_router(admins)
    return router


def _add_session(router: APIRouter) -> None:
    @router.get("/session", tags=["accounts"], summary="Who calls")
    async def session(request: Request) -> CallerView:
        caller = caller_of(request)
        return CallerView(name=caller.name, role=caller.role, machine=caller.is_machine, must_change=caller.must_change, expires_at=caller.expires_at)


def _add_users(router: APIRouter, people: People) -> None:
    async def view(name: str) -> UserView:
        return UserView.of(await asyncio.to_thread(people.accounts.user, name), await asyncio.to_thread(people.logins.sessions, name))

    @router.get("/users", tags=["accounts"], summary="All users")
    async def users() -> list[UserView]:
        logins = await asyncio.to_thread(people.logins.sessions)
        return [UserView.of(user, logins) for user in await asyncio.to_thread(people.accounts.users)]

    @router.post("/users", tags=["accounts"], status_code=201, summary="Add a user; the answer has a password for the first login", responses=PROBLEMS)
    async def add_user(user: NewUser, by: By) -> OneTime:
        return OneTime(name=user.name, password=await _one_time(partial(people.accounts.add, user.name, user.role, by=by)))

    @router.patch("/users/{name}", tags=["accounts"], summary="Change a role, disable or enable; ends the user's sessions", responses=PROBLEMS)
    async def change_user(name: Name, change: UserChange, by: By) -> UserView:
        if change.role is not None:
            await asyncio.to_thread(people.accounts.set_role, name, change.role, by=by)
        if change.disabled is not None:
            await asyncio.to_thread(people.accounts.set_disabled, name, change.disabled, by=by)
        return await view(name)

    @router.post("/users/{name}/password", tags=["accounts"], summary="Make a password for one login; ends the user's sessions", responses=PROBLEMS)
    async def reset_password(name: Name, by: By) -> OneTime:
        return OneTime(name=name, password=await _one_time(partial(people.accounts.reset_password, name, by=by)))


def _add_sessions(router: APIRouter, people: People) -> None:
    @router.get("/users/{name}/sessions", tags=["accounts"], summary="Where a user is logged in", responses=PROBLEMS)
    async def sessions(name: Name, request: Request) -> list[SessionView]:
        await asyncio.to_thread(people.accounts.user, name)
        asking = caller_of(request).session_id
        return [SessionView.of(login, asking) for login in await asyncio.to_thread(people.logins.sessions, name)]

    @router.delete("/users/{name}/sessions", tags=["accounts"], status_code=204, summary="Log a user out everywhere", responses=PROBLEMS)
    async def revoke_all(name: Name, by: By) -> None:
        await asyncio.to_thread(people.accounts.user, name)
        await asyncio.to_thread(people.logins.close_all, name, by=by)

    @router.delete("/sessions/{session_id}", tags=["accounts"], status_code=204, summary="Log one browser out", responses=PROBLEMS)
    async def revoke(session_id: str, by: By) -> None:
        await asyncio.to_thread(people.logins.close, session_id, by=by)


def _add_tokens(router: APIRouter, people: People) -> None:
    @router.get("/tokens", tags=["accounts"], summary="Tokens of machines")
    async def tokens() -> list[TokenView]:
        return [TokenView.of(token) for token in await asyncio.to_thread(people.logins.tokens)]

    @router.post("/tokens", tags=["accounts"], status_code=201, summary="Make a token for a machine; shown only in this answer", responses=PROBLEMS)
    async def add_token(token: NewToken, by: By) -> Made:
        return Made(name=token.name, token=await asyncio.to_thread(people.logins.add_token, token.name, token.role, by=by))

    @router.delete("/tokens/{name}", tags=["accounts"], status_code=204, summary="Revoke a token", responses=PROBLEMS)
    async def revoke_token(name: Name, by: By) -> None:
        await asyncio.to_thread(people.logins.revoke_token, name, by=by)


def _add_audit(router: APIRouter, people: People) -> None:
    @router.get("/audit", tags=["accounts"], summary="Who did what, newest first")
    async def audit(asked: Annotated[Filter, Query()], limit: Annotated[int, Query(ge=1, le=500)] = 100) -> AuditView:
        deeds = await asyncio.to_thread(partial(people.audit.deeds, limit=limit, **asked.given()))
        users, actions = await asyncio.to_thread(people.audit.known)
        return AuditView(deeds=tuple(DeedView.of(deed) for deed in deeds), users=users, actions=actions)

    @router.get("/audit.csv", tags=["accounts"], summary="The same as CSV, all of it", response_class=Response)
    async def export(asked: Annotated[Filter, Query()], by: By) -> StreamingResponse:
        await asyncio.to_thread(people.audit.add, by, "audit.export", "", {key: str(value) for key, value in asked.given().items()})
        headers = {"content-disposition": 'attachment; filename="loupe-audit.csv"'}
        return StreamingResponse(_rows(partial(people.audit.deeds, limit=EXPORTED_AT_ONCE), asked), media_type="text/csv; charset=utf-8", headers=headers)


async def _one_time(make: Callable[[], str | None]) -> str:
    password = await asyncio.to_thread(make)
    assert password is not None  # none was given
    return password


async def _rows(deeds: Callable[..., Sequence[Deed]], asked: Filter) -> AsyncIterator[str]:
    yield _line(COLUMNS)
    before = asked.before
    while True:
        found = await asyncio.to_thread(partial(deeds, **{**asked.given(), **({"before": before} if before else {})}))
        yield "".join(_line([_cell(getattr(deed, name)) for name in COLUMNS]) for deed in found)
        if len(found) < EXPORTED_AT_ONCE:
            return
        before = found[-1].id


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _cell(value: object) -> str:
    """What a spreadsheet would take for a formula is kept from being one."""
    text = value.isoformat() if isinstance(value, datetime) else "" if value == {} else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
