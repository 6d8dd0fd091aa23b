"""REST under /api/v1 for model versions: those that judge a line, judged it or might, and one with its card, preprocessing and calibrations."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Self

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import AwareDatetime, Field

from models.registry import BrokenModelError, ModelNotFoundError
from services.dashboard.calibration_views import JudgementView
from services.dashboard.parts import Parts
from services.dashboard.versions import Described, LineVersion, VersionState, described, line_versions
from services.dashboard.views import LineId, Problem, View
from services.records.jobs import JobKind
from training.gate_rule import Answer

MOST = 200
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
Reference = Annotated[str, Path(description="id of a version, or a prefix of it (>= 6)", examples=["0f3a9c51d2b7"])]


class ComparedView(View):
    """One measure on parts that neither of the two learnt from."""

    champion: float | None = Field(description="of the version that judged when this one was made")
    candidate: float | None = Field(description="of this one")
    difference: float | None
    interval: tuple[float, float] | None = Field(default=None, description="95 %, of the difference")


class TaughtByView(View):
    """A dataset version; its counts are null where it is not on this machine."""

    id: str
    pictures: int | None = None
    good: int | None = None
    defect: int | None = None

    @classmethod
    def of(cls, dataset: str | None, card: Mapping[str, Any] | None) -> Self | None:
        if dataset is None or card is None:
            return None if dataset is None else cls(id=dataset)
        splits = card.get("splits", {}).values()
        return cls(id=dataset, pictures=card.get("pictures"), **{kind: sum(split[kind] for split in splits) for kind in ("good", "defect")})


class LineVersionView(View):
    id: str
    name: str | None = Field(description="null: its card is not on this machine, or names none")
    state: VersionState
    products: tuple[str | None, ...] = Field(description="that it judges now; null: whatever the line makes")
    comes_back: bool = Field(description="it judged before the one of now: a roll back lets it judge again")
    made_at: AwareDatetime = Field(description="its training ended; else when it first judged")
    job: str | None = Field(description="that made it")
    job_kind: JobKind | None
    parent: str | None = Field(description="the version that it learnt from and was compared with")
    dataset: TaughtByView | None
    answer: Answer | None = Field(description="of the gate")
    reasons: tuple[str, ...] = Field(description="of the gate, in words")
    measures: dict[str, ComparedView] = Field(description="image_auroc, image_ap, pixel_ap, false_rejects, recall; empty: no gate measured it")
    activations: tuple[JudgementView, ...] = Field(description="newest first")

    @classmethod
    def of(cls, one: LineVersion) -> Self:
        same: dict[str, Any] = {name: getattr(one, name) for name in ("id", "name", "state", "products", "comes_back", "made_at", "parent")}
        job: dict[str, Any] = {"job": one.job.id, "job_kind": one.job.kind} if one.job else {"job": None, "job_kind": None}
        gate: dict[str, Any] = {"answer": one.gate.get("answer"), "reasons": one.gate.get("reasons", ())}
        measures = {name: ComparedView.model_validate(found) for name, found in one.measures.items()}
        activations = tuple(JudgementView.of(judgement) for judgement in one.judgements)
        return cls(**same, **job, **gate, dataset=TaughtByView.of(one.dataset, one.dataset_card), measures=measures, activations=activations)


class ModelView(View):
    id: str
    name: str
    size: int = Field(description="bytes of all its files")
    lines: tuple[str, ...] = Field(description="that it judges now")
    config: dict[str, Any] = Field(description="how the network is built")
    preprocessing: dict[str, Any] = Field(description="how pictures are fed to it")
    calibrations: dict[str, dict[str, Any]] = Field(description="that its card suggests, by line or product")
    card: dict[str, Any] = Field(description="where it comes from and what it reached, without the calibrations")

    @classmethod
    def of(cls, one: Described) -> Self:
        version, card = one.version, dict(one.version.card)
        calibrations = card.pop("calibrations", {})
        described = {"config": version.config, "preprocessing": version.preprocessing.to_dict(), "calibrations": calibrations, "card": card}
        return cls(id=version.id, name=version.name, size=one.size, lines=one.lines, **described)


class HoldingView(View):
    """One Inspector replica that runs."""

    replica: str
    versions: tuple[str, ...] | None = Field(description="that it has loaded; null: it has not said so lately")


def create_models_router(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["models"])

    @router.get("/lines/{line_id}/models", summary="Versions that judge a line, judged it, or came of its trainings; newest first", responses=PROBLEMS)
    async def listed(line_id: LineId, limit: Annotated[int, Query(ge=1, le=MOST)] = 50) -> list[LineVersionView]:
        """What judges now is among them whatever the limit."""
        return [LineVersionView.of(one) for one in await asyncio.to_thread(line_versions, parts, line_id, limit)]

    @router.get("/models/{reference}", summary="One version: card, preprocessing, calibrations, size", responses={**PROBLEMS, 500: {"model": Problem}})
    async def shown(reference: Reference) -> ModelView:
        """All its files are read and hashed first."""
        try:
            return ModelView.of(await asyncio.to_thread(described, parts, reference))
        except ModelNotFoundError as error:
            raise HTTPException(404, str(error)) from error
        except BrokenModelError as error:
            raise HTTPException(500, str(error)) from error

    @router.get("/replicas/holding", summary="Which versions each Inspector replica has loaded", responses={503: {"model": Problem}})
    async def held() -> list[HoldingView]:
        """Empty where inspection is not deployed, or nothing streams and no replica runs."""
        inspector = (await asyncio.to_thread(parts.replicas)).inspector
        ids = inspector.ids if inspector else ()
        said = await parts.store.holding(ids)
        return [HoldingView(replica=replica, versions=said.get(replica)) for replica in ids]

    return router
