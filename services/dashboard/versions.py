"""What judged a line, what its trainings made, cards beside weights -> its versions, each with its state, origin, and what the gate measured.

A card is read as it lies there: whoever asks for one version has all its files verified.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from models.registry import CARD, BrokenModelError, ModelVersion, Registry, read_json
from services.contract.inspection import Active
from services.dashboard.parts import Parts
from services.records.jobs import Job, JobKind, JobState
from services.records.judging import Judgement
from training.gate_rule import MEASURES, Answer

JOBS = 200
ACTIVATIONS = 500
"""So far back a line's versions are looked for."""
SHARES = ("false_rejects", "recall")


class VersionState(StrEnum):
    JUDGES = "judges"
    JUDGED = "judged"
    CANDIDATE = "candidate"
    """The gate passed it, or it is a line's first one; it never judged."""
    REFUSED = "refused"
    INSUFFICIENT = "insufficient evidence"


@dataclass(frozen=True, slots=True)
class LineVersion:
    """One version as one line knows it."""

    id: str
    state: VersionState
    products: tuple[str | None, ...]
    """That it judges now; None: whatever the line makes."""
    comes_back: bool
    """It judged before the one of now: a roll back lets it judge again."""
    job: Job | None
    """What made it."""
    judgements: tuple[Judgement, ...]
    """Newest first."""
    card: Mapping[str, Any]
    """Empty where its files are not here."""
    dataset: str | None
    dataset_card: Mapping[str, Any] | None

    @property
    def name(self) -> str | None:
        return self.card.get("name")

    @property
    def made_at(self) -> datetime:
        """When its training ended; else when it first judged."""
        return self.job.ended_at if self.job and self.job.ended_at else self.judgements[-1].at

    @property
    def parent(self) -> str | None:
        return (self.job.result.get("champion") if self.job else None) or self.card.get("parent")

    @property
    def gate(self) -> Mapping[str, Any]:
        return (self.job.result.get("gate") if self.job else None) or {}

    @property
    def measures(self) -> dict[str, Mapping[str, Any]]:
        """By name: of the model that judged when it was made, its own, and the difference."""
        found = {**self.gate.get("measures", {}), **{name: self.gate[name] for name in SHARES if name in self.gate}}
        return {name: found[name] for name in (*MEASURES, *SHARES) if name in found}


@dataclass(frozen=True, slots=True)
class Described:
    """One version with its files verified."""

    version: ModelVersion
    size: int
    """Bytes of all its files."""
    lines: tuple[str, ...]
    """That it judges now."""


def line_versions(parts: Parts, line: str, limit: int) -> list[LineVersion]:
    """Newest first; what judges now is never left out. Raises UnknownLineError."""
    current, history = parts.judging.current(line), parts.judging.activations(line, ACTIVATIONS)
    made = _made(parts.jobs.jobs(line, limit=JOBS))
    judged = _by_version({one.id: one for one in (*current, *history)}.values())
    datasets, back = {one.id: one.card for one in parts.datasets.all.versions(line)}, _comes_back(history)
    versions = []
    for version in {**made, **judged}:
        job, judgements = made.get(version), judged.get(version, ())
        products = tuple(one.product for one in current if one.model_version == version)
        card = _card(parts.settings.models_path / version)
        dataset = (job.plan.get("dataset") if job else None) or card.get("dataset")
        state = _state(job, judges=bool(products), judged=bool(judgements))
        versions.append(LineVersion(version, state, products, version == back, job, judgements, card, dataset, datasets.get(dataset or "")))
    return _newest(versions, limit)


def described(parts: Parts, reference: str) -> Described:
    """By id or a unique prefix. Raises ModelNotFoundError, BrokenModelError."""
    version = Registry(parts.settings.models_path).fetch(reference)
    size = sum(path.stat().st_size for path in version.path.rglob("*") if path.is_file())
    lines = [active.line for active in parts.records.actives() if version.id in _judging(active)]
    return Described(version, size, tuple(sorted(lines)))


def _judging(active: Active) -> set[str | None]:
    return {active.model_version, *(one.model_version for one in active.products.values())}


def _made(jobs: Iterable[Job]) -> dict[str, Job]:
    """By the version that came of it; the newest job counts."""
    finished = [job for job in jobs if job.state is JobState.FINISHED and job.kind is not JobKind.BACKTEST and job.result.get("candidate")]
    return {job.result["candidate"]: job for job in reversed(finished)}


def _by_version(judgements: Iterable[Judgement]) -> dict[str, tuple[Judgement, ...]]:
    found: dict[str, list[Judgement]] = {}
    for one in sorted(judgements, key=lambda one: one.id, reverse=True):
        found.setdefault(one.model_version, []).append(one)
    return {version: tuple(those) for version, those in found.items()}


def _comes_back(history: Iterable[Judgement]) -> str | None:
    """What a roll back brings: the latest other version of those that judged whatever the line makes."""
    versions = [one.model_version for one in history if one.product is None]
    return next((version for version in versions if version != versions[0]), None)


def _state(job: Job | None, *, judges: bool, judged: bool) -> VersionState:
    if judges or judged:
        return VersionState.JUDGES if judges else VersionState.JUDGED
    answer = (job.result.get("gate") or {}).get("answer") if job else None
    if answer == Answer.REFUSED:
        return VersionState.REFUSED
    return VersionState.INSUFFICIENT if answer == Answer.INSUFFICIENT else VersionState.CANDIDATE


def _card(folder: Path) -> dict[str, Any]:
    try:
        return read_json(folder / CARD)
    except BrokenModelError:
        return {}


def _newest(versions: list[LineVersion], limit: int) -> list[LineVersion]:
    ordered = sorted(versions, key=lambda one: one.made_at, reverse=True)
    return [one for place, one in enumerate(ordered) if place < limit or one.state is VersionState.JUDGES]
