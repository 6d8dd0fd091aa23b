"""REST under /api/v1: what runs, the lines, inspections with their pictures, replicas. Errors are {"detail": ...}."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response

from services.contract.inspection import Inspection
from services.contract.names import FrameId, InvalidIdError
from services.dashboard import lines as changes
from services.dashboard.errors import PictureGoneError
from services.dashboard.lines import UnusableModelError
from services.dashboard.parts import Parts
from services.dashboard.pictures import Image
from services.dashboard.status import Status
from services.dashboard.views import Limits, LineView, NewLine, Part, Problem
from services.records.errors import AlreadyThereError, UnknownLineError
from services.records.store import Line

LineId = Annotated[str, Path(description="line", examples=["metal"])]
Frame = Annotated[str, Path(description="line/camera/session/sequence", examples=["metal/cam1/s1/42"])]
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}, "image/png": {}}}, 304: {"description": "as known"}, **PROBLEMS}
KEPT = "private, max-age=86400"
"""What a frame id names never changes; sharing caches need not keep a factory's pictures."""


def create_router(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/api/v1")
    _add_plant(router, parts)
    _add_lines(router, parts)
    _add_inspections(router, parts)
    return router


def _add_plant(router: APIRouter, parts: Parts) -> None:
    @router.get("/status", tags=["plant"], summary="What runs: processes, lines, ledger, lag, latency, replicas")
    async def status() -> Status:
        return await asyncio.to_thread(parts.status)

    @router.get("/replicas", tags=["plant"], summary="Between how many replicas the Inspector moves")
    async def replicas() -> Limits:
        stored = await asyncio.to_thread(parts.records.replica_limits)
        ours = parts.settings.inspector
        return Limits(min=stored.min_replicas, max=stored.max_replicas) if stored else Limits(min=ours.min_replicas, max=ours.max_replicas)

    @router.post("/replicas", tags=["plant"], summary="Change these limits while it runs; they last", responses={422: {"model": Problem}})
    async def set_replicas(limits: Limits) -> Limits:
        if limits.min > limits.max:
            raise HTTPException(422, f"min: expected at most max ({limits.max}), got {limits.min}")
        await asyncio.to_thread(parts.set_limits, limits.min, limits.max)
        return limits


def _add_lines(router: APIRouter, parts: Parts) -> None:
    @router.get("/lines", tags=["lines"], summary="All lines and how they are")
    async def lines() -> list[LineView]:
        known = await asyncio.to_thread(parts.records.lines)
        seen = {view.id: view for view in parts.hub.wall().lines}
        return [seen.get(line.id) or _new(line) for line in known]

    @router.post("/lines", tags=["lines"], status_code=201, summary="Add a line with its cameras", responses={409: {"model": Problem}, 422: {"model": Problem}})
    async def add_line(line: NewLine) -> LineView:
        return _new(await changes.add_line(line, settings=parts.settings, records=parts.records, store=parts.store))

    @router.post("/lines/{line_id}/pause", tags=["lines"], summary="Stop judging: frames are recorded", responses=PROBLEMS)
    async def pause(line_id: LineId) -> LineView:
        return await _set_paused(parts, line_id, True)

    @router.post("/lines/{line_id}/resume", tags=["lines"], summary="Judge again", responses=PROBLEMS)
    async def resume(line_id: LineId) -> LineView:
        return await _set_paused(parts, line_id, False)

    @router.get("/lines/{line_id}/inspections", tags=["inspections"], summary="A line's latest inspections, newest first", responses=PROBLEMS)
    async def line_inspections(line_id: LineId, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[Inspection]:
        await asyncio.to_thread(parts.records.line, line_id)
        return [entry.inspection for entry in await parts.store.latest(line_id, limit)]


def _add_inspections(router: APIRouter, parts: Parts) -> None:
    @router.get("/flagged", tags=["inspections"], summary="Latest flagged inspections, newest first; kept for good")
    async def flagged(limit: Annotated[int, Query(ge=1, le=500)] = 50, line: str | None = None) -> list[Inspection]:
        return list(await asyncio.to_thread(parts.records.flagged, limit, line=line))

    @router.get("/inspections/{frame_id:path}", tags=["inspections"], summary="One inspection", responses=PROBLEMS)
    async def inspection(frame_id: Frame) -> Inspection:
        return await _found(parts, frame_id)

    @router.get("/parts/{frame_id:path}", tags=["inspections"], summary="One inspection in short", responses=PROBLEMS)
    async def part(frame_id: Frame) -> Part:
        return Part.of(await _found(parts, frame_id))

    @router.get(
        "/frames/{frame_id:path}/image", tags=["inspections"], summary="The frame's own bytes, or a thumbnail", response_class=Response, responses=PICTURE
    )
    async def image(
        request: Request, frame_id: Frame, width: Annotated[int | None, Query(ge=32, le=1280)] = None, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        found = await _found(parts, frame_id)
        return _answer(await (parts.pictures.thumbnail(found, width) if width else parts.pictures.image(found)), if_none_match)

    @router.get("/frames/{frame_id:path}/map", tags=["inspections"], summary="Its anomaly map (grey PNG)", response_class=Response, responses=PICTURE)
    async def anomaly_map(frame_id: Frame, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        return _answer(await parts.pictures.anomaly_map(await _found(parts, frame_id)), if_none_match)


async def _found(parts: Parts, frame_id: str) -> Inspection:
    try:
        identity = FrameId.parse(frame_id)
    except InvalidIdError as error:
        raise HTTPException(404, str(error)) from error
    found = await parts.pictures.inspection(identity.line, str(identity))
    if found is None:
        raise HTTPException(404, f"inspection {frame_id!r}: neither flagged nor among the latest of its line")
    return found


def _answer(image: Image, known: str | None) -> Response:
    headers = {"etag": image.etag, "cache-control": KEPT}
    if known is not None and image.etag in (one.strip().removeprefix("W/") for one in known.split(",")):
        return Response(status_code=304, headers=headers)
    if image.media_type == "application/octet-stream":
        headers["content-disposition"] = "attachment"
    return Response(image.content, media_type=image.media_type, headers=headers)


async def _set_paused(parts: Parts, line_id: str, paused: bool) -> LineView:
    await changes.set_paused(line_id, paused, records=parts.records, store=parts.store)
    return parts.hub.line(line_id) or _new(await asyncio.to_thread(parts.records.line, line_id))


def _new(line: Line) -> LineView:
    return LineView(id=line.id, name=line.name, product=line.product, state="paused" if line.paused else "no-signal", reason="No frame yet")


STATUS_OF: dict[type[Exception], int] = {
    PictureGoneError: 404,
    UnknownLineError: 404,
    AlreadyThereError: 409,
    InvalidIdError: 422,
    UnusableModelError: 422,
}
"""Errors of other rooms -> HTTP status; whatever else keeps a store from answering is 503."""
