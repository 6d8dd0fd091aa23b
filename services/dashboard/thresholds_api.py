"""REST under /api/v1/lines/{line}: what judges it and why, recent scores, thresholds that answered parts suggest, other thresholds, the way back."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from services.dashboard import thresholds
from services.dashboard.accounts_api import By
from services.dashboard.calibration_views import CalibrationView, JudgementView, NewThresholds, ScoresView, SuggestionView, WayBack
from services.dashboard.gate import at_least
from services.dashboard.parts import Parts
from services.dashboard.sample import suggest
from services.dashboard.views import LineId, Problem
from services.records.accounts import Role

Product = Annotated[str | None, Query(max_length=200, description="default: what the line makes now; empty: thresholds that name no product")]
Rate = Annotated[float, Query(gt=0, lt=1, description="share of good parts")]
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 422: {"model": Problem}}
CONFLICTS: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "somebody else was faster"}, **PROBLEMS}
SUPERVISORS = [at_least(Role.SUPERVISOR)]


def create_thresholds_router(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/api/v1/lines/{line_id}", tags=["thresholds"])
    _add_reading(router, parts)
    _add_changing(router, parts)
    return router


def _add_reading(router: APIRouter, parts: Parts) -> None:
    @router.get("/calibration", summary="What judges one product, what it promises, and all that did before", responses=PROBLEMS)
    async def calibration(line_id: LineId, product: Product = None) -> CalibrationView:
        judgements = await asyncio.to_thread(parts.judging.current, line_id)
        wanted = await thresholds.product_of(parts, line_id, product)
        history = await asyncio.to_thread(parts.judging.history, line_id, wanted)
        return CalibrationView(
            line=line_id,
            product=wanted,
            products=tuple(one.product for one in judgements),
            makes=(await asyncio.to_thread(parts.records.line, line_id)).product,
            current=next((JudgementView.of(one) for one in judgements if one.product == wanted), None),
            history=tuple(map(JudgementView.of, history)),
        )

    @router.get("/scores", summary="Scores of the latest parts by decision, and of answered ones by verdict", responses=PROBLEMS)
    async def scores(line_id: LineId, by: By, product: Product = None) -> ScoresView:
        now = await thresholds.current(parts, line_id, await thresholds.product_of(parts, line_id, product))
        return ScoresView.of(await thresholds.sample(parts, now, by.name))

    @router.get("/calibration/suggestion", summary="Thresholds for two rates of false rejects, from parts that people called good", responses=PROBLEMS)
    async def suggestion(line_id: LineId, by: By, product: Product = None, review_rate: Rate = 0.01, fail_rate: Rate = 0.001) -> SuggestionView:
        """Says what these parts can promise where that is less than what is asked for: 1 % needs 299 groups of them, 0.1 % needs 2,995."""
        if fail_rate > review_rate:
            raise HTTPException(422, f"fail_rate: expected at most review_rate ({review_rate:g}), got {fail_rate:g}")
        now = await thresholds.current(parts, line_id, await thresholds.product_of(parts, line_id, product))
        found = suggest(await thresholds.sample(parts, now, by.name), review_rate=review_rate, fail_rate=fail_rate)
        if found is None:
            raise thresholds.TooFewAnswersError(f"line {line_id}: nobody has called a part good that this model judged; blind checks and reviews make them")
        return SuggestionView.of(found)


def _add_changing(router: APIRouter, parts: Parts) -> None:
    @router.put("/calibration", dependencies=SUPERVISORS, summary="Other thresholds, in force at once and kept for good", responses=CONFLICTS)
    async def change(line_id: LineId, wanted: NewThresholds, by: By) -> JudgementView:
        return JudgementView.of(await thresholds.change(parts, line_id, wanted, by))

    @router.post("/calibration/back", dependencies=SUPERVISORS, summary="Thresholds that judged before, in force again at once", responses=CONFLICTS)
    async def back(line_id: LineId, wanted: WayBack, by: By) -> JudgementView:
        return JudgementView.of(await thresholds.go_back(parts, line_id, wanted, by))
