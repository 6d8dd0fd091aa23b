"""REST under /api/v1: what runs, the lines, inspections with their pictures, replicas. Errors are {"detail": ...}."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response

from services.contract.inspection import Inspection
from services.contract.names import FrameId, InvalidIdError
from services.dashboard import lines as changes
from services.dashboard.accounts_api import By
from services.dashboard.backtests import NotBacktestableError
from services.dashboard.collecting import NotStartableError, NotTrainableError, UnknownRecordedError
from services.dashboard.errors import PictureGoneError
from services.dashboard.lines import UnusableModelError
from services.dashboard.parts import Parts
from services.dashboard.pictures import image_response
from services.dashboard.promotion import NotPromotableError
from services.dashboard.standby import RejectedVersionError
from services.dashboard.status import Status
from services.dashboard.thresholds import NotJudgedError, TooFewAnswersError
from services.dashboard.training import ElsewhereError
from services.dashboard.views import Alarm, Limits, LineId, LineSettings, LineState, LineView, NewLine, NewProduct, Part, Problem
from services.records.audit import Actor
from services.records.errors import (
    AlreadyThereError,
    ChangedMeanwhileError,
    LastAdminError,
    NoEarlierModelError,
    UnknownCalibrationError,
    UnknownJobError,
    UnknownLineError,
    UnknownSessionError,
    UnknownTokenError,
    UnknownUserError,
    WeakPasswordError,
)
from services.records.store import Line
from services.review.blind import as_seen_by, hidden_from
from services.review.errors import BlindCheckError, MaskTooLargeError, ReviewError, UnknownFrameError

Frame = Annotated[str, Path(description="line/camera/session/sequence", examples=["metal/cam1/s1/42"])]
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
PRODUCT_PROBLEMS: dict[int | str, dict[str, Any]] = {**PROBLEMS, 422: {"model": Problem}}
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}, "image/png": {}}}, 304: {"description": "as known"}, **PROBLEMS}


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

    @router.get("/alarms", tags=["plant"], summary="What somebody should look at: silent lines, a lag, cameras that are down, many more rejects than before")
    async def alarms() -> list[Alarm]:
        wall = parts.hub.wall()
        return list(wall.alarms) if wall.signal else [Alarm(text=wall.reason or "The live view does not answer")]

    @router.get("/replicas", tags=["plant"], summary="Between how many replicas the Inspector moves")
    async def replicas() -> Limits:
        stored = await asyncio.to_thread(parts.records.replica_limits)
        ours = parts.settings.inspector
        return Limits(min=stored.min_replicas, max=stored.max_replicas) if stored else Limits(min=ours.min_replicas, max=ours.max_replicas)

    @router.post("/replicas", tags=["plant"], summary="Change these limits while it runs; they last", responses={422: {"model": Problem}})
    async def set_replicas(limits: Limits, by: By) -> Limits:
        if limits.min > limits.max:
            raise HTTPException(422, f"min: expected at most max ({limits.max}), got {limits.min}")
        await asyncio.to_thread(parts.set_limits, limits.min, limits.max, by)
        return limits


def _add_lines(router: APIRouter, parts: Parts) -> None:
    @router.get("/lines", tags=["lines"], summary="All lines and how they are")
    async def lines() -> list[LineView]:
        known = await asyncio.to_thread(parts.records.lines)
        seen = {view.id: view for view in parts.hub.wall().lines}
        return [seen.get(line.id) or _new(line) for line in known]

    @router.post("/lines", tags=["lines"], status_code=201, summary="Add a line with its cameras", responses={409: {"model": Problem}, 422: {"model": Problem}})
    async def add_line(line: NewLine, by: By) -> LineView:
        return _new(await changes.add_line(line, settings=parts.settings, records=parts.records, store=parts.store, by=by))

    @router.patch("/lines/{line_id}", tags=["lines"], summary="Changeover to another product, share of blind checks; at once", responses=PROBLEMS)
    async def change_line(line_id: LineId, wanted: LineSettings, by: By) -> LineView:
        changed = await changes.change_settings(line_id, wanted, judging=parts.judging, records=parts.records, store=parts.store, by=by)
        seen = parts.hub.line(line_id) or _new(changed)
        return seen.model_copy(update={name: getattr(changed, name) for name in ("product", "blind_check_rate", "promote_automatically")})

    @router.post("/lines/{line_id}/products", tags=["lines"], status_code=201, summary="Judge one product by a model of its own", responses=PRODUCT_PROBLEMS)
    async def judge_product(line_id: LineId, wanted: NewProduct, by: By) -> LineView:
        """From the first such activation on, frames of products that have none are recorded, not judged."""
        await changes.judge_product(line_id, wanted, parts=parts, by=by)
        return parts.hub.line(line_id) or _new(await asyncio.to_thread(parts.records.line, line_id))

    @router.post("/lines/{line_id}/pause", tags=["lines"], summary="Stop judging: frames are recorded", responses=PROBLEMS)
    async def pause(line_id: LineId, by: By) -> LineView:
        return await _set_paused(parts, line_id, True, by)

    @router.post("/lines/{line_id}/resume", tags=["lines"], summary="Judge again", responses=PROBLEMS)
    async def resume(line_id: LineId, by: By) -> LineView:
        return await _set_paused(parts, line_id, False, by)

    @router.get("/lines/{line_id}/inspections", tags=["inspections"], summary="A line's latest inspections, newest first", responses=PROBLEMS)
    async def line_inspections(line_id: LineId, by: By, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[Inspection]:
        await asyncio.to_thread(parts.records.line, line_id)
        return await _as_seen(parts, [entry.inspection for entry in await parts.store.latest(line_id, limit)], by)


def _add_inspections(router: APIRouter, parts: Parts) -> None:
    @router.get("/flagged", tags=["inspections"], summary="Latest flagged inspections, newest first; kept for good")
    async def flagged(by: By, limit: Annotated[int, Query(ge=1, le=500)] = 50, line: str | None = None) -> list[Inspection]:
        return await _as_seen(parts, await asyncio.to_thread(parts.records.flagged.newest, limit, line=line), by)

    @router.get("/inspections/{frame_id:path}", tags=["inspections"], summary="One inspection", responses=PROBLEMS)
    async def inspection(frame_id: Frame, by: By) -> Inspection:
        return (await _as_seen(parts, [await _found(parts, frame_id)], by))[0]

    @router.get("/parts/{frame_id:path}", tags=["inspections"], summary="One inspection in short", responses=PROBLEMS)
    async def part(frame_id: Frame, by: By) -> Part:
        return Part.of((await _as_seen(parts, [await _found(parts, frame_id)], by))[0])

    @router.get(
        "/frames/{frame_id:path}/image", tags=["inspections"], summary="The frame's own bytes, or a thumbnail", response_class=Response, responses=PICTURE
    )
    async def image(
        request: Request, frame_id: Frame, width: Annotated[int | None, Query(ge=32, le=1280)] = None, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        found = await _found(parts, frame_id)
        return image_response(await (parts.pictures.thumbnail(found, width) if width else parts.pictures.image(found)), if_none_match)

    @router.get("/frames/{frame_id:path}/map", tags=["inspections"], summary="Its anomaly map (grey PNG)", response_class=Response, responses=PICTURE)
    async def anomaly_map(frame_id: Frame, by: By, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        found = await _found(parts, frame_id)
        if await asyncio.to_thread(hidden_from, by.name, [found], parts.desk.records):
            raise BlindCheckError(f"frame {frame_id}: is a blind check, its map is not to be seen before it is answered")
        return image_response(await parts.pictures.anomaly_map(found), if_none_match)


async def _found(parts: Parts, frame_id: str) -> Inspection:
    try:
        identity = FrameId.parse(frame_id)
    except InvalidIdError as error:
        raise HTTPException(404, str(error)) from error
    found = await parts.pictures.inspection(identity.line, str(identity))
    if found is None:
        raise HTTPException(404, f"inspection {frame_id!r}: neither flagged nor among the latest of its line")
    return found


async def _as_seen(parts: Parts, inspections: Sequence[Inspection], by: Actor) -> list[Inspection]:
    """Without what the machine said of blind checks."""
    return await asyncio.to_thread(as_seen_by, by.name, inspections, parts.desk.records)


async def _set_paused(parts: Parts, line_id: str, paused: bool, by: Actor) -> LineView:
    await changes.set_paused(line_id, paused, records=parts.records, store=parts.store, by=by)
    return parts.hub.line(line_id) or _new(await asyncio.to_thread(parts.records.line, line_id))


def _new(line: Line) -> LineView:
    state: LineState = "paused" if line.paused else "no-signal"
    same = {name: getattr(line, name) for name in ("id", "name", "product", "blind_check_rate", "promote_automatically")}
    return LineView(**same, state=state, reason="No frame yet")


STATUS_OF: dict[type[Exception], int] = {
    PictureGoneError: 404,
    ElsewhereError: 404,
    UnknownLineError: 404,
    UnknownJobError: 404,
    NoEarlierModelError: 409,
    NotPromotableError: 409,
    NotBacktestableError: 409,
    NotTrainableError: 409,
    NotStartableError: 409,
    UnknownRecordedError: 404,
    RejectedVersionError: 409,
    AlreadyThereError: 409,
    ChangedMeanwhileError: 409,
    UnknownCalibrationError: 404,
    InvalidIdError: 422,
    UnusableModelError: 422,
    NotJudgedError: 404,
    TooFewAnswersError: 422,
    UnknownUserError: 404,
    UnknownSessionError: 404,
    UnknownTokenError: 404,
    LastAdminError: 409,
    WeakPasswordError: 422,
    UnknownFrameError: 404,
    BlindCheckError: 403,
    MaskTooLargeError: 413,
    ReviewError: 422,
}
"""Errors of other rooms -> HTTP status; whatever else keeps a store from answering is 503."""
