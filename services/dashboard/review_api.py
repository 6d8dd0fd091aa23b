"""REST under /api/v1/review: the queue, one frame with its pictures and mask, claims, verdicts, what was said, and how far people agree.

Whatever a route tells of a frame passes by who asks: of a blind check nobody gets score, decision, model, map or others' answers.
"""

import asyncio
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, Field, ValidationError
from starlette.responses import JSONResponse

from services.contract.names import FrameId, InvalidIdError
from services.contract.verdict import Verdict
from services.dashboard.accounts_api import By
from services.dashboard.errors import PictureGoneError
from services.dashboard.gate import at_least
from services.dashboard.parts import Parts
from services.dashboard.pictures import Image, image_of, image_response
from services.dashboard.references import reference
from services.dashboard.review_views import (
    ANSWERS,
    VERDICT_BODY,
    AgreementView,
    AskedNext,
    AskedPage,
    BulkForm,
    ClaimView,
    ClassForm,
    ConflictProblem,
    ConflictView,
    CountsView,
    DoneView,
    GivenView,
    ItemView,
    LineCountView,
    PageView,
    VerdictForm,
)
from services.dashboard.uploads import file_in, read_form
from services.dashboard.views import LineId, Problem
from services.records.accounts import Role
from services.records.review_queue import Given
from services.records.standings import Standing
from services.results.archive import ArchiveError
from services.review.agreement import Pair, between_reviewers, with_machine
from services.review.errors import BlindCheckError, ConflictError
from services.review.verdicts import Said

FRAME = "/frames/{frame_id:path}"
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 422: {"model": Problem}}
CONFLICTS: dict[int | str, dict[str, Any]] = {409: {"model": ConflictProblem, "description": "somebody else was faster"}, **PROBLEMS}
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}, "image/png": {}}}, 304: {"description": "as known"}, 404: {"model": Problem}}
BLIND: dict[int | str, dict[str, Any]] = {**PICTURE, 403: {"model": Problem, "description": "a blind check: not before it is answered"}}
Known = Annotated[str | None, Header(alias="if-none-match")]
Width = Annotated[int | None, Query(ge=32, le=1280)]


def frame_of(frame_id: Annotated[str, Path(description="line/camera/session/sequence", examples=["metal/cam1/s1/42"])]) -> str:
    try:
        return str(FrameId.parse(frame_id))
    except InvalidIdError as error:
        raise HTTPException(404, str(error)) from error


Frame = Annotated[str, Depends(frame_of)]


def create_review_router(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/api/v1")
    readers = APIRouter(prefix="/review", tags=["review"])
    reviewers = APIRouter(prefix="/review", tags=["review"], dependencies=[at_least(Role.SUPERVISOR)])
    for add in (_add_reading, _add_pictures, _add_said):
        add(readers, parts)
    for add in (_add_claims, _add_verdicts, _add_classes):
        add(reviewers, parts)
    router.include_router(readers)
    router.include_router(reviewers)
    return router


def _add_reading(router: APIRouter, parts: Parts) -> None:
    queue = parts.desk.queue

    @router.get("", summary="The queue: what the caller may answer, or what was answered", responses=PROBLEMS)
    async def page(asked: Annotated[AskedPage, Query()], by: By) -> PageView:
        found = await asyncio.to_thread(partial(queue.page, by.name, asked.filter(), asked.order, cursor=asked.after, limit=asked.limit))
        return PageView.of(found, by.name)

    @router.get("/counts", summary="How many of each line wait, for the caller")
    async def counts(by: By) -> CountsView:
        found, undelivered = await asyncio.to_thread(queue.counts, by.name), await asyncio.to_thread(parts.desk.reviews.undelivered)
        return CountsView(lines=tuple(map(LineCountView.of, found)), undelivered=undelivered)

    @router.get("/lines/{line_id}/defect-classes", summary="What a line's people call its defects, in order")
    async def defect_classes(line_id: LineId) -> list[ClassForm]:
        return [ClassForm(name=one.name, label=one.label) for one in await asyncio.to_thread(parts.desk.reviews.defect_classes, line_id)]

    @router.get("/agreement", summary="How far people agree with each other and with the machine")
    async def agreement(since: AwareDatetime | None = None) -> AgreementView:
        return await asyncio.to_thread(_agreement, parts, since)


def _add_pictures(router: APIRouter, parts: Parts) -> None:
    """The longer paths, before `/frames/{frame_id}` itself, which would swallow them."""
    desk = parts.desk

    async def standing(frame_id: str, user: str) -> Standing:
        return await asyncio.to_thread(desk.queue.standing, frame_id, user)

    @router.get(f"{FRAME}/image", summary="The frame's own bytes, or a thumbnail", response_class=Response, responses=PICTURE)
    async def image(frame_id: Frame, by: By, width: Width = None, known: Known = None) -> Response:
        inspection = (await standing(frame_id, by.name)).inspection
        return image_response(await (parts.pictures.thumbnail(inspection, width) if width else parts.pictures.image(inspection)), known)

    @router.get(f"{FRAME}/map", summary="Its anomaly map (grey PNG)", response_class=Response, responses=BLIND)
    async def anomaly_map(frame_id: Frame, by: By, known: Known = None) -> Response:
        return image_response(await parts.pictures.anomaly_map(_unhidden(await standing(frame_id, by.name)).inspection), known)

    @router.get(f"{FRAME}/seed", summary="A mask from the anomaly map: 255 at or above the threshold, in the frame's own pixels", responses=BLIND)
    async def seed(frame_id: Frame, by: By, threshold: Annotated[float, Query(ge=0, le=1)]) -> Response:
        found = await standing(frame_id, by.name)
        return image_response(image_of(await asyncio.to_thread(desk.verdicts.seed, found, threshold)), None)

    @router.get(f"{FRAME}/mask", summary="The mask of the answer that counts, or of the one that is named", response_class=Response, responses=BLIND)
    async def mask(frame_id: Frame, by: By, verdict_id: str | None = None, known: Known = None) -> Response:
        found = _unhidden(await standing(frame_id, by.name))
        said = found.answer if verdict_id is None else _named(await asyncio.to_thread(desk.records.history, frame_id), verdict_id)
        return image_response(await asyncio.to_thread(_mask, parts, frame_id, said), known)

    @router.get(
        f"{FRAME}/reference",
        summary="A good part of the same line, camera and product; X-Loupe-Frame says which",
        response_class=Response,
        responses=PICTURE,
    )
    async def good_part(frame_id: Frame, by: By, known: Known = None) -> Response:
        inspection = (await standing(frame_id, by.name)).inspection
        found = reference(inspection, by.name, records=parts.records, queue=desk.records, store=parts.store, pictures=parts.pictures)
        reference_id, picture = await found
        answer = image_response(picture, known)
        answer.headers["x-loupe-frame"] = reference_id
        answer.headers["cache-control"] = "private, no-cache"  # tomorrow's may be a better one
        return answer

    @router.get(f"{FRAME}/history", summary="All that was said of it, oldest first", responses=BLIND)
    async def history(frame_id: Frame, by: By) -> list[GivenView]:
        _unhidden(await standing(frame_id, by.name))
        return [GivenView.of(one) for one in await asyncio.to_thread(desk.records.history, frame_id)]

    @router.get(FRAME, summary="One frame, as the caller may see it", responses=PROBLEMS)
    async def item(frame_id: Frame, by: By) -> ItemView:
        return ItemView.of(await asyncio.to_thread(desk.queue.item, frame_id, by.name), by.name)


def _add_said(router: APIRouter, parts: Parts) -> None:
    @router.get("/verdicts", summary="Verdicts in the order in which they were given, superseded ones too", responses=PROBLEMS)
    async def verdicts(
        by: By,
        line: str | None = None,
        given_by: str | None = None,
        after: Annotated[int, Query(ge=0, description="id of the last one of the page before")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> list[GivenView]:
        """Without those of frames that the caller has yet to answer blind."""
        found = await asyncio.to_thread(partial(parts.desk.records.verdicts, by.name, line=line, given_by=given_by, after=after, limit=limit))
        return [GivenView.of(one) for one in found]


def _add_claims(router: APIRouter, parts: Parts) -> None:
    desk = parts.desk

    @router.post("/next", summary="The next frame for the caller, claimed; 204 where there is none", responses={**PROBLEMS, 204: {"description": "none"}})
    async def next_one(asked: AskedNext, by: By) -> Any:
        found = await asyncio.to_thread(partial(desk.queue.next, by.name, asked.filter(), asked.order, besides=asked.besides))
        return ItemView.of(found, by.name) if found else Response(status_code=204)

    @router.post(f"{FRAME}/claim", summary="Keep others off it; again and again while its page is open", responses=CONFLICTS)
    async def claim(frame_id: Frame, by: By, correct: Annotated[bool, Query(description="an answered one, to correct it")] = False) -> ClaimView:
        return ClaimView.of(await asyncio.to_thread(partial(desk.claims.take, frame_id, by.name, to_correct=correct)), by.name)

    @router.delete(f"{FRAME}/claim", status_code=204, summary="Let others have it", responses=PROBLEMS)
    async def release(frame_id: Frame, by: By) -> None:
        await asyncio.to_thread(desk.claims.release, frame_id, by.name)

    @router.post(f"{FRAME}/skip", status_code=204, summary="Offer it to others, not to the caller", responses=CONFLICTS)
    async def skip(frame_id: Frame, by: By) -> None:
        await asyncio.to_thread(desk.claims.skip, frame_id, by.name)


def _add_verdicts(router: APIRouter, parts: Parts) -> None:
    desk = parts.desk
    file_bytes = int(parts.settings.review.mask_max_mb * 2**20)

    @router.post(f"{FRAME}/verdict", status_code=201, summary="Answer it", responses=CONFLICTS, openapi_extra=VERDICT_BODY)
    async def give(request: Request, frame_id: Frame, by: By) -> Verdict:
        """Kept at once, with its audit row; on its way to Kafka from then on."""
        form = await read_form(request, file_bytes=file_bytes)
        said = _said(dict(form), await file_in(form, "mask"))
        given = await asyncio.to_thread(desk.verdicts.give, frame_id, said, by)
        desk.outbox.wake()
        return given

    @router.post(f"{FRAME}/undo", status_code=201, summary="Take back the caller's own answer; the one before it counts again", responses=CONFLICTS)
    async def undo(
        frame_id: Frame, by: By, verdict_id: Annotated[str | None, Query(description="of that answer, so that sending it again changes nothing")] = None
    ) -> Verdict:
        given = await asyncio.to_thread(partial(desk.verdicts.undo, frame_id, by, verdict_id=verdict_id))
        desk.outbox.wake()
        return given

    @router.post("/bulk", summary="The same for many frames; each for itself", responses=PROBLEMS)
    async def bulk(asked: BulkForm, by: By) -> list[DoneView]:
        done = await asyncio.to_thread(partial(desk.verdicts.bulk, asked.frame_ids, asked.action, by, defect_class=asked.defect_class))
        desk.outbox.wake()
        return [DoneView.of(one) for one in done]


def _add_classes(router: APIRouter, parts: Parts) -> None:
    @router.put("/lines/{line_id}/defect-classes", summary="Say what a line's defects are called; classes left out are retired", responses=PROBLEMS)
    async def set_defect_classes(line_id: LineId, classes: Annotated[list[ClassForm], Field(max_length=100)], by: By) -> list[ClassForm]:
        named = {one.name: one.label for one in classes}
        found = await asyncio.to_thread(partial(parts.desk.reviews.set_defect_classes, line_id, named, by=by))
        return [ClassForm(name=one.name, label=one.label) for one in found]


async def explain_conflict(_: Request, error: Exception) -> JSONResponse:
    """409, with who and when for the page to show."""
    assert isinstance(error, ConflictError)
    return JSONResponse(ConflictProblem(detail=str(error), conflict=ConflictView.of(error)).model_dump(mode="json"), status_code=409)


def _said(fields: dict[str, Any], mask: bytes | None) -> Said:
    try:
        form = VerdictForm.model_validate({name: value for name, value in fields.items() if name != "mask"})
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error
    same = ("defect_class", "blind", "supersedes", "verdict_id")
    return Said(answer=ANSWERS[form.answer], upload=mask, map_threshold=form.threshold, **{name: getattr(form, name) for name in same})


def _unhidden(standing: Standing) -> Standing:
    if standing.hidden:
        raise BlindCheckError(f"frame {standing.frame_id}: is a blind check, not to be seen before it is answered")
    return standing


def _named(history: list[Given], verdict_id: str) -> Verdict | None:
    return next((given.verdict for given in history if given.verdict.verdict_id == verdict_id), None)


def _mask(parts: Parts, frame_id: str, said: Verdict | None) -> Image:
    if said is None or said.mask_path is None:
        raise PictureGoneError(f"frame {frame_id}: no such verdict has a mask")
    try:
        return image_of(parts.archive.get(said.mask_path))
    except ArchiveError as error:
        raise PictureGoneError(f"frame {frame_id}: {error}") from error


def _agreement(parts: Parts, since: datetime | None) -> AgreementView:
    answers = parts.desk.records.answers(since=since)
    firsts, pairs = [first for first, _ in answers], [Pair(first, second) for first, second in answers if second is not None]
    lines = [None, *sorted({first.identity.line for first in firsts})]
    return AgreementView.of([between_reviewers(pairs, line) for line in lines], [with_machine(firsts, line) for line in lines])
