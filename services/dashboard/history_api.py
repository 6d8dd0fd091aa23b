"""REST under /api/v1/history: search, counts, export, and one inspection with its pictures, however long ago it was.

Whatever a route tells passes by who asks: of a blind check nobody gets score, decision, model, map, or why its picture was kept.
"""

import asyncio
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Response
from starlette.responses import StreamingResponse

from services.contract.inspection import Inspection
from services.contract.names import FrameId
from services.dashboard.accounts_api import By
from services.dashboard.gate import at_least
from services.dashboard.history import HistoryDesk
from services.dashboard.history_export import csv_of, mvtec_of
from services.dashboard.history_views import AskedCounts, AskedHistory, AskedHistoryPage, CountView, ExtentView, HistoryPage, HistoryRow
from services.dashboard.parts import Parts
from services.dashboard.pictures import image_response
from services.dashboard.review_api import FRAME, PICTURE, Frame, Width
from services.dashboard.views import Problem
from services.history.errors import SearchError
from services.history.search import After
from services.records.accounts import Role
from services.results.connection import ResultsError
from services.review.blind import UNSEEN, hidden_from
from services.review.errors import BlindCheckError

PROBLEMS: dict[int | str, dict[str, Any]] = {422: {"model": Problem}, 503: {"model": Problem, "description": "the search takes too long"}}
Known = Annotated[str | None, Header(alias="if-none-match")]


def create_history_router(parts: Parts, desk: HistoryDesk | None = None) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["history"])
    desk = desk or HistoryDesk.of(parts.settings)
    _add_search(router, parts, desk)
    _add_exports(router, parts, desk)
    _add_frames(router, parts, desk)
    return router


def _add_search(router: APIRouter, parts: Parts, desk: HistoryDesk) -> None:
    @router.get("/history", summary="Inspections, newest first", responses=PROBLEMS)
    async def page(asked: Annotated[AskedHistoryPage, Query()], by: By) -> HistoryPage:
        try:
            after = After.parse(asked.after) if asked.after else None
        except SearchError as error:
            raise HTTPException(422, str(error)) from error
        return HistoryPage.of(await desk.page(by.name, asked.search(), after=after, limit=asked.limit))

    @router.get("/history/counts", summary="How many by hour or day, oldest first; those without any are left out", responses=PROBLEMS)
    async def counts(asked: Annotated[AskedCounts, Query()], by: By) -> list[CountView]:
        return [CountView.of(one) for one in await desk.counts(by.name, asked.search(), asked.by)]

    @router.get("/history/extent", summary="How much is kept, and whether anything is being added", responses=PROBLEMS)
    async def extent() -> ExtentView:
        problem = ""
        with suppress(ResultsError, TimeoutError):  # every page says so where Redis is away
            problem = await parts.store.history_problem()
        return ExtentView.of(await desk.extent(), problem)


def _add_exports(router: APIRouter, parts: Parts, desk: HistoryDesk) -> None:
    @router.get("/history.csv", summary="The same as CSV, all of it", response_class=Response, responses=PROBLEMS)
    async def as_csv(asked: Annotated[AskedHistory, Query()], by: By) -> StreamingResponse:
        await asyncio.to_thread(parts.people.audit.add, by, "history.export", "csv", asked.told())
        pages = desk.pages(by.name, asked.search())
        return StreamingResponse(csv_of(pages), media_type="text/csv; charset=utf-8", headers=_attached("loupe-history.csv"))

    @router.get(
        "/history.zip",
        summary="Those that people answered, as a folder in MVTec layout: good, defects by class, masks",
        response_class=Response,
        responses=PROBLEMS,
        dependencies=[at_least(Role.SUPERVISOR)],
    )
    async def as_zip(asked: Annotated[AskedHistory, Query()], by: By) -> StreamingResponse:
        """`missing.csv` names pictures that the archive no longer has, and defects of which nobody drew where."""
        await asyncio.to_thread(parts.people.audit.add, by, "history.export", "mvtec", asked.told())
        pages = desk.pages(by.name, await desk.answered(by.name, asked.search()))
        return StreamingResponse(mvtec_of(pages, parts.archive), media_type="application/zip", headers=_attached("loupe-history.zip"))


def _add_frames(router: APIRouter, parts: Parts, desk: HistoryDesk) -> None:
    frame = f"/history{FRAME}"

    async def found(frame_id: str) -> Inspection:
        """From records or live view where they know it, which is sooner than the history; as it was, hidden or not."""
        identity, known = FrameId.parse(frame_id), None
        with suppress(ResultsError, TimeoutError):  # the history does not need the live view
            known = await parts.pictures.inspection(identity.line, frame_id)
        known = known or await desk.find(identity)
        if known is None:
            raise HTTPException(404, f"inspection {frame_id!r}: not in the history")
        return known

    @router.get(f"{frame}/image", summary="The frame's own bytes, or a thumbnail", response_class=Response, responses=PICTURE)
    async def image(frame_id: Frame, width: Width = None, known: Known = None) -> Response:
        inspection = await found(frame_id)
        return image_response(await (parts.pictures.thumbnail(inspection, width) if width else parts.pictures.image(inspection)), known)

    @router.get(f"{frame}/map", summary="Its anomaly map (grey PNG)", response_class=Response, responses=PICTURE)
    async def anomaly_map(frame_id: Frame, by: By, known: Known = None) -> Response:
        inspection = await found(frame_id)
        if await asyncio.to_thread(hidden_from, by.name, [inspection], parts.desk.records):
            raise BlindCheckError(f"frame {frame_id}: is a blind check, its map is not to be seen before it is answered")
        return image_response(await parts.pictures.anomaly_map(inspection), known)

    @router.get(frame, summary="One inspection, with the verdict that counts now", responses={404: {"model": Problem}})
    async def one(frame_id: Frame, by: By) -> HistoryRow:
        inspection = await found(frame_id)
        blind = bool(await asyncio.to_thread(hidden_from, by.name, [inspection], parts.desk.records))
        seen = inspection.model_copy(update=UNSEEN) if blind else inspection
        return HistoryRow.of_inspection(seen, await desk.verdict(by.name, frame_id), blind=blind)


def _attached(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
