"""REST under /api/v1 for datasets: which versions there are, what is in one, and making a line's next one.

Numbers only: a frame that a version calls unreviewed is one that the machine passed, which nobody may know who has yet to answer it blind.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Self

from fastapi import APIRouter, HTTPException, Path, Response
from pydantic import AwareDatetime, Field

from services.dashboard.accounts_api import By
from services.dashboard.views import LineId, Problem, View
from services.records.audit import Actor, Audit
from training.dataset_version import BrokenDatasetError, DatasetError, DatasetNotFoundError
from training.line_datasets import LineDatasets

Reference = Annotated[str, Path(description="a line for its newest version, or an id or a prefix of it (>= 6)", examples=["metal"])]
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 409: {"model": Problem}}
SAME: dict[int | str, dict[str, Any]] = {200: {"description": "nothing new: the same version as before"}, **PROBLEMS}


class SplitView(View):
    pictures: int
    groups: int
    good: int
    defect: int
    unreviewed: int
    without_mask: int = Field(description="defects of which nobody drew where")
    classes: dict[str, int]


class DatasetView(View):
    id: str
    name: str = Field(description="of the line")
    newest: bool
    created_at: AwareDatetime
    parent: str | None = Field(description="the version before it")
    pictures: int
    splits: dict[str, SplitView]
    left_out: dict[str, int] = Field(description="frames, by the reason")
    missing: tuple[str, ...] = Field(description="what it is too small for, in words")

    @classmethod
    def of(cls, version: str, card: Mapping[str, Any], *, newest: bool) -> Self:
        left_out = {why: frames["frames"] for why, frames in card["left_out"].items()}
        return cls.model_validate({**card, "id": version, "newest": newest, "left_out": left_out})


def create_datasets_router(datasets: LineDatasets, audit: Audit) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["datasets"])
    building = asyncio.Lock()  # one at a time: a build takes a thread for as long as it takes, and the pages need the others

    @router.get("/datasets", summary="All dataset versions that can be read, the oldest first", responses=PROBLEMS)
    async def listed(line: str | None = None) -> list[DatasetView]:
        with _problems():
            return await asyncio.to_thread(_listed, datasets, line)

    @router.get("/datasets/{reference}", summary="One version", responses=PROBLEMS)
    async def shown(reference: Reference) -> DatasetView:
        with _problems():
            return await asyncio.to_thread(_shown, datasets, reference)

    @router.post("/lines/{line_id}/datasets", status_code=201, summary="Make a line's next version of what people said", responses=SAME)
    async def built(line_id: LineId, by: By, response: Response) -> DatasetView:
        """Answers when it is made, which for thousands of new pictures takes minutes."""
        with _problems():
            async with building:
                version, new = await asyncio.to_thread(_built, datasets, audit, line_id, by)
        response.status_code = 201 if new else 200
        return version

    return router


@contextmanager
def _problems() -> Iterator[None]:
    """What is wrong, as an answer."""
    try:
        yield
    except DatasetNotFoundError as error:
        raise HTTPException(404, str(error)) from error
    except BrokenDatasetError as error:
        raise HTTPException(500, str(error)) from error
    except DatasetError as error:
        raise HTTPException(409, str(error)) from error


def _listed(datasets: LineDatasets, line: str | None) -> list[DatasetView]:
    newest = {datasets.all.current(name) for name in datasets.all.names()}
    return [DatasetView.of(one.id, one.card, newest=one.id in newest) for one in datasets.all.versions(line) if not one.problem]


def _shown(datasets: LineDatasets, reference: str) -> DatasetView:
    version = datasets.all.fetch(reference)
    return DatasetView.of(version.id, version.card, newest=version.id == datasets.all.current(version.name))


def _built(datasets: LineDatasets, audit: Audit, line: str, by: Actor) -> tuple[DatasetView, bool]:
    before, version = datasets.all.current(line), datasets.build(line)
    if version.id != before:
        audit.add(by, "dataset.build", line, {"version": version.id, "pictures": len(version.rows)})
    return DatasetView.of(version.id, version.card, newest=True), version.id != before
