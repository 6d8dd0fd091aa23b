"""Parts -> one FastAPI application: REST, /ws/live, health, logging in, the API's own page, all behind guard and gate. Pages are added by pages.py."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Security, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.security import HTTPBearer

from services.bus.errors import BusError
from services.contract.names import InvalidIdError
from services.dashboard.accounts_api import create_accounts_router
from services.dashboard.api import STATUS_OF, create_router
from services.dashboard.automatic import Automatic
from services.dashboard.collecting_api import create_collecting_router
from services.dashboard.cookies import Cookies
from services.dashboard.datasets_api import create_datasets_router
from services.dashboard.entrance import Entrance
from services.dashboard.errors import DashboardError
from services.dashboard.gate import Gate
from services.dashboard.golden_api import create_golden_router
from services.dashboard.guard import Guard
from services.dashboard.history_api import create_history_router
from services.dashboard.live_socket import serve_live
from services.dashboard.models_api import create_models_router
from services.dashboard.parts import Parts
from services.dashboard.quality_api import create_quality_router
from services.dashboard.review_api import create_review_router, explain_conflict
from services.dashboard.thresholds_api import create_thresholds_router
from services.dashboard.training_api import create_training_router
from services.dashboard.views import Problem
from services.history.errors import HistoryError
from services.inspection.errors import InspectionError
from services.records.accounts import FIRST_ADMIN, Accounts
from services.records.errors import RecordsError
from services.results.archive import ArchiveError
from services.results.connection import ResultsError
from services.review.errors import ConflictError, ReviewError

WEB = Path(__file__).parent / "web"
CHECK_S = 2.0
END_S = 2.0
AGAIN_S = 1.0
BEARER = HTTPBearer(auto_error=False, description="a token of `loupe token add`; browsers send the cookie of their login instead")
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "nobody is logged in"},
    403: {"model": Problem, "description": "not with this role"},
}


def create_app(parts: Parts) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reading, welcoming = asyncio.create_task(parts.hub.run()), asyncio.create_task(_make_first_admin(parts.people.accounts))
        promoting = asyncio.create_task(Automatic(parts).run())
        delivering = threading.Thread(target=parts.desk.outbox.run, name="outbox", daemon=True)  # Kafka may take its time; what is left waits in SQL
        delivering.start()
        yield
        welcoming.cancel()
        promoting.cancel()
        parts.desk.outbox.stop()
        await asyncio.to_thread(delivering.join, END_S)
        await _end(reading, parts)

    app = FastAPI(
        title="Loupe",
        version="1",
        description="Inspections of production lines as they happen.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    cookies = Cookies.of(parts.settings.dashboard)
    app.add_middleware(Gate, logins=parts.people.logins, cookies=cookies)
    app.add_middleware(Guard, public_hosts=parts.settings.dashboard.public_hosts)
    _add_errors(app)
    _add_health(app, parts)
    _add_documents(app)
    Entrance(parts.people, cookies, site=parts.settings.site.name).add_to(app)
    routers = (
        create_router(parts),
        create_golden_router(parts),
        create_review_router(parts),
        create_thresholds_router(parts),
        create_training_router(parts),
        create_quality_router(parts),
    )
    others = (create_datasets_router(parts.datasets, parts.people.audit), create_accounts_router(parts.people))
    for router in (*routers, create_collecting_router(parts), create_history_router(parts), create_models_router(parts), *others):
        app.include_router(router, dependencies=[Security(BEARER)], responses=REFUSALS)

    @app.websocket("/ws/live")
    async def live(websocket: WebSocket) -> None:
        await serve_live(websocket, parts.hub)

    return app


async def _make_first_admin(accounts: Accounts) -> None:
    """Where nobody made one before: a container has no terminal, so its log shows the password, once."""
    while True:
        with suppress(RecordsError):  # no tables yet: the recorder makes them
            password = await asyncio.to_thread(accounts.first_admin)
            if password is not None:
                sys.stderr.write(f"nobody has an account yet: log in as {FIRST_ADMIN} with {password} (shown once), and choose another\n")
            return
        await asyncio.sleep(AGAIN_S)


async def _end(reading: asyncio.Task[None], parts: Parts) -> None:
    """In bounded time: a client that waits for a Redis that hangs must not keep us from ending."""
    reading.cancel()
    await asyncio.wait({reading}, timeout=END_S)
    with suppress(ResultsError, OSError, TimeoutError):
        async with asyncio.timeout(END_S):
            await parts.store.close()


def _add_errors(app: FastAPI) -> None:
    for kind in (DashboardError, InvalidIdError, RecordsError, ResultsError, ArchiveError, HistoryError, BusError, InspectionError, ReviewError, TimeoutError):
        app.add_exception_handler(kind, _explain)
    app.add_exception_handler(ConflictError, explain_conflict)
    app.add_exception_handler(RequestValidationError, _explain_request)


async def _explain(_: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in STATUS_OF.items() if isinstance(error, kind)), 503)
    return JSONResponse({"detail": str(error) or type(error).__name__}, status_code=status)


async def _explain_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [f"{'.'.join(str(part) for part in one['loc'][1:]) or one['loc'][0]}: {one['msg']}, got {one.get('input')!r:.80}" for one in error.errors()]
    return JSONResponse({"detail": "; ".join(found)}, status_code=422)


def _add_health(app: FastAPI, parts: Parts) -> None:
    @app.get("/healthz", tags=["health"], summary="This process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], summary="What it depends on answers too", responses={503: {"description": "something is missing"}})
    async def readyz(request: Request) -> JSONResponse:
        checks = {"redis": parts.store.ping(), "records": asyncio.to_thread(parts.records.lines)}
        found = dict(zip(checks, await asyncio.gather(*(_check(one) for one in checks.values())), strict=True))
        missing = [name for name, problem in found.items() if problem]
        reasons = found if request.state.caller else {}  # they name addresses
        return JSONResponse({"status": "missing" if missing else "ok", "missing": missing, **reasons}, status_code=503 if missing else 200)


async def _check(answer: Awaitable[Any]) -> str | None:
    """None where it answers in time, else what is wrong."""
    try:
        async with asyncio.timeout(CHECK_S):
            await answer
    except (ResultsError, RecordsError, OSError, TimeoutError) as error:
        return str(error) or f"no answer within {CHECK_S:g} s"
    return None


def _add_documents(app: FastAPI) -> None:
    """FastAPI's own page loads its viewer from a CDN; a factory network may have no way out."""

    @app.get("/api/v1/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(WEB / "docs.html")

    for name in ("style.css", "review.css", "history.css", "quality.css", "lines.css", "models.css", "training.css", "docs.js", "logo.svg", "theme.js"):
        app.get(f"/assets/{name}", include_in_schema=False)(_file(WEB / name))
    app.get("/favicon.ico", include_in_schema=False)(_file(WEB / "logo.svg"))


def _file(path: Path) -> Callable[[], Awaitable[FileResponse]]:
    async def file() -> FileResponse:
        return FileResponse(path, headers={"cache-control": "no-cache"})

    return file
