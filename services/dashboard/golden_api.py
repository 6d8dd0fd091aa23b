"""REST under /api/v1/review for golden sets: which frames a line's later models must decide as people did, putting one there, taking it out."""

import asyncio
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.dashboard.accounts_api import By
from services.dashboard.gate import at_least
from services.dashboard.parts import Parts
from services.dashboard.review_api import BLIND, FRAME, PROBLEMS, Frame
from services.dashboard.views import LineId, Reason, View
from services.records.accounts import Role
from services.records.golden import Golden


class GoldenView(View):
    frame_id: str
    reason: str
    by: str
    at: AwareDatetime

    @classmethod
    def of(cls, golden: Golden) -> Self:
        return cls(frame_id=golden.frame_id, reason=golden.reason, by=golden.by, at=golden.at)


class GoldenForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Reason


class GoldenState(View):
    golden: GoldenView | None = Field(description="null: it is in no golden set")


def create_golden_router(parts: Parts) -> APIRouter:
    """To be included before the review's, whose path of a frame would swallow these."""
    router = APIRouter(prefix="/api/v1/review", tags=["golden set"])
    changes, frame = [at_least(Role.SUPERVISOR)], f"{FRAME}/golden"
    desk = parts.desk

    @router.get("/lines/{line_id}/golden", summary="A line's golden set, in the order in which it grew", responses=PROBLEMS)
    async def golden_set(line_id: LineId, by: By) -> list[GoldenView]:
        """Without frames that the caller has yet to answer blind."""
        await asyncio.to_thread(parts.datasets.check_line, line_id)
        found = await asyncio.to_thread(parts.datasets.golden.of, line_id)
        hidden = await asyncio.to_thread(parts.disclosure.hidden, by.name, [one.frame_id for one in found])
        return [GoldenView.of(one) for one in found if one.frame_id not in hidden]

    @router.get(frame, summary="Whether a frame is in its line's golden set", responses=BLIND)
    async def state(frame_id: Frame, by: By) -> GoldenState:
        found = await asyncio.to_thread(desk.golden.of, frame_id, by.name)
        return GoldenState(golden=GoldenView.of(found) if found else None)

    @router.put(frame, summary="Put an answered frame into its line's golden set", responses={**BLIND, **PROBLEMS}, dependencies=changes)
    async def add(frame_id: Frame, form: GoldenForm, by: By) -> GoldenView:
        """From its next dataset version on it neither teaches nor calibrates, and the gate refuses candidates that decide it wrongly."""
        return GoldenView.of(await asyncio.to_thread(desk.golden.add, frame_id, form.reason, by))

    @router.delete(frame, status_code=204, summary="Take it out again", responses=PROBLEMS, dependencies=changes)
    async def remove(frame_id: Frame, reason: Annotated[Reason, Query()], by: By) -> None:
        await asyncio.to_thread(desk.golden.remove, frame_id, reason, by)

    return router
