"""The HTTP side of ingest: POST a picture and it is a frame; /healthz and /readyz; OpenAPI at /openapi.json."""

from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Header, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, Field

from services.contract.names import ID_PATTERN
from services.contract.settings import IngestSettings
from services.ingest.guard import Guard
from services.ingest.push import RETRY_AFTER_S, Intake, Pushed, PushError

Identity = Annotated[str, Path(pattern=ID_PATTERN)]
Text = Annotated[str | None, Header(min_length=1, max_length=200)]
Moment = Annotated[AwareDatetime | None, Header(description="ISO 8601 with its UTC offset")]


class Accepted(BaseModel):
    """The frame is durable."""

    frame_id: str = Field(description="line/camera/session/sequence: what inspections call it")


class Problem(BaseModel):
    detail: str


PROBLEMS = {
    401: "no bearer token, or not this line's",
    403: "a Host or Origin that is not ours",
    404: "no such line, or no such camera that takes pushes",
    413: "the picture is larger than the settings allow",
    415: "neither JPEG nor PNG",
    422: "no picture, or a header that cannot be read",
    429: "too much is on its way: try again after Retry-After seconds",
    503: "the broker does not answer: try again with the same Idempotency-Key",
}


def create_app(settings: IngestSettings, intake: Intake, waits_for: Callable[[], list[str]]) -> FastAPI:
    """`waits_for` names what keeps us from taking frames; nothing: ready."""
    app = FastAPI(title="Loupe ingest", description="Cameras push frames here.", docs_url=None, redoc_url=None)
    app.add_middleware(Guard, public_hosts=settings.public_hosts)
    app.add_exception_handler(PushError, _problem)
    _add_push(app, intake)
    _add_health(app, waits_for)
    return app


def _add_push(app: FastAPI, intake: Intake) -> None:
    body = {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/png")}, "required": True}

    @app.post(
        "/api/v1/lines/{line}/cameras/{camera}/frames",
        status_code=202,
        responses={status: {"model": Problem, "description": reason} for status, reason in PROBLEMS.items()},
        openapi_extra={"requestBody": body},
    )
    async def push_frame(
        request: Request,
        line: Identity,
        camera: Identity,
        authorization: Annotated[str | None, Header(description="Bearer <push token of the line>")] = None,
        content_length: Annotated[int | None, Header(ge=0)] = None,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200, description="a repeat with the same key makes no second frame")] = None,
        loupe_captured_at: Moment = None,
        loupe_part_id: Text = None,
        loupe_product: Text = None,
        loupe_deadline: Moment = None,
    ) -> Accepted:
        """Send one JPEG or PNG. Answered once the broker has it; what the machine says of it comes later."""
        known = intake.authorize(line, camera, _bearer(authorization))
        _check_type(request.headers.get("content-type"))
        image = await intake.read(request.stream(), content_length)
        pushed = Pushed(line, camera, idempotency_key, loupe_captured_at, loupe_part_id, loupe_product, loupe_deadline)
        return Accepted(frame_id=str(await intake.take(pushed, image, product=known.product)))


def _add_health(app: FastAPI, waits_for: Callable[[], list[str]]) -> None:
    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz(response: Response) -> dict[str, object]:
        """Frames can be taken; if not, what for we wait."""
        missing = waits_for()
        response.status_code = 503 if missing else 200
        return {"status": "waiting" if missing else "ready", "waits_for": missing}


def _bearer(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _check_type(content_type: str | None) -> None:
    """What counts are the first bytes; this only refuses what is plainly something else (a form, JSON)."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in ("", "application/octet-stream") and not kind.startswith("image/"):
        raise PushError(415, f"Content-Type: expected image/jpeg or image/png, got {content_type!r}")


def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PushError)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if error.passing else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"detail": str(error)}, status_code=error.status, headers=headers)
