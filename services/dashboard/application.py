"""Parts -> one FastAPI application: REST, /ws/live, health, the API's own page, all behind the guard. Pages are added by pages.py."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse

from services.bus.errors import BusError
from services.contract.names import InvalidIdError
from services.dashboard.api import STATUS_OF, create_router
from services.dashboard.errors import DashboardError
from services.dashboard.guard import Guard
from services.dashboard.live_socket import serve_live
from services.dashboard.parts import Parts
from services.inspection.errors import InspectionError
from services.records.errors import RecordsError
from services.results.archive import ArchiveError
from services.results.connection import ResultsError

WEB = Path(__file__).parent / "web"
CHECK_S = 2.0
END_S = 2.0
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def create_app(parts: Parts) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reading = asyncio.create_task(parts.hub.run())
        yield
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
    app.add_middleware(Guard, public_hosts=parts.settings.dashboard.public_hosts)
    _add_errors(app)
    _add_health(app, parts)
    _add_documents(app)
    app.include_router(create_router(parts))

    @app.websocket("/ws/live")
    async def live(websocket: WebSocket) -> None:
        await serve_live(websocket, parts.hub)

    @app.api_route("/api/{path:path}", methods=METHODS, include_in_schema=False)
    async def unknown(path: str) -> JSONResponse:
        return JSONResponse({"detail": f"/api/{path}: no such path; /api/v1/docs lists them"}, status_code=404)

    return app


async def _end(reading: asyncio.Task[None], parts: Parts) -> None:
    """In bounded time: a client that waits for a Redis that hangs must not keep us from ending."""
    reading.cancel()
    await asyncio.wait({reading}, timeout=END_S)
    with suppress(ResultsError, OSError, TimeoutError):
        async with asyncio.timeout(END_S):
            await parts.store.close()


def _add_errors(app: FastAPI) -> None:
    for kind in (DashboardError, InvalidIdError, RecordsError, ResultsError, ArchiveError, BusError, InspectionError, TimeoutError):
        app.add_exception_handler(kind, _explain)
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
    async def readyz() -> JSONResponse:
        checks = {"redis": parts.store.ping(), "records": asyncio.to_thread(parts.records.lines)}
        found = dict(zip(checks, await asyncio.gather(*(_check(one) for one in checks.values())), strict=True))
        missing = [name for name, problem in found.items() if problem]
        return JSONResponse({"status": "missing" if missing else "ok", "missing": missing, **found}, status_code=503 if missing else 200)


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

    for name in ("style.css", "docs.js", "logo.svg", "theme.js"):
        app.get(f"/assets/{name}", include_in_schema=False)(_file(WEB / name))
    app.get("/favicon.ico", include_in_schema=False)(_file(WEB / "logo.svg"))


def _file(path: Path) -> Callable[[], Awaitable[FileResponse]]:
    async def file() -> FileResponse:
        return FileResponse(path, headers={"cache-control": "no-cache"})

    return file
