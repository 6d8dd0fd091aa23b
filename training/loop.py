"""A stage of training, step by step: schedule, loss, gradient, checks, checkpoint.

A run that stops is resumed at its last checkpoint by starting it again: weights, optimizer, step and what the checks found come
from the file, everything random is a function of seed and step (`training.randomness`). Losses fall while a detector gets no better,
so a stage is measured now and then on what it does not learn from, and ends with the weights of its best step.
"""

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from training.progress import shown
from training.randomness import Randomness
from training.recipes import StageRecipe
from training.team import ALONE, Team
from training.tracking import SILENT, Tracker

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = 200
TRACK_EVERY = 10
RECENT = 100
"""Steps that a reported loss is the average of: single steps jump."""


class TrainingError(ValueError):
    """A training that cannot start or go on."""


class DivergedError(TrainingError):
    """The loss is no number any more."""


class OtherRunError(TrainingError):
    """The folder holds a training of other pictures, sizes or steps."""


class Stage(Protocol):
    """What the loop needs of a stage."""

    name: str

    def parameters(self) -> Iterator[nn.Parameter]:
        """What this stage trains; everything else stays frozen."""

    def losses(self, step: int, dice: Randomness) -> Mapping[str, Tensor]:
        """`total` is minimised, the others are shown."""

    def after_step(self, step: int, dice: Randomness) -> None:
        """Whatever learns without a gradient."""

    def check(self) -> Mapping[str, float]:
        """Measured on what is not learnt from; the first number, the higher the better, chooses the best step. Empty: the last one is kept."""

    def sample(self) -> Tensor | None:
        """What a person would look at, (3, H, W) in 0..1, BGR: pictures in rows, what the network makes of them beside."""

    def state(self) -> dict[str, Tensor]:
        """Weights and averages, as `restore` takes them."""

    def restore(self, state: dict[str, Tensor]) -> None: ...


@dataclass(frozen=True, slots=True)
class Run:
    """Where and as what a training runs. The fingerprint is of everything that must be equal for a resume to make sense."""

    folder: Path
    seed: int
    fingerprint: str
    team: Team = ALONE
    tracker: Tracker = SILENT


@dataclass(frozen=True, slots=True)
class StageReport:
    """What a finished stage has to say for the model card."""

    steps: int
    minutes: float
    losses: dict[str, float]
    """Averages over the last steps."""
    checks: list[dict[str, float]]
    """What each check found, `step` beside it."""
    best_step: int

    @property
    def gained_lately(self) -> float | None:
        """By how much the last third of the checks beat those before it: near 0, and more steps would hardly help. None where there are too few."""
        values = [next(iter(values_of(check).values())) for check in self.checks]
        first = len(values) - len(values) // 3
        return max(values[first:]) - max(values[:first]) if len(values) >= 3 else None


@dataclass(slots=True)
class _State:
    """What a run is, beside weights and optimizer: `_save` writes it, `_resume` reads it."""

    step: int = 0
    seconds: float = 0.0
    recent: list[dict[str, float]] = field(default_factory=list)
    checks: list[dict[str, float]] = field(default_factory=list)
    best_value: float = -math.inf
    best_step: int = 0
    best: dict[str, Tensor] | None = None

    def add(self, losses: dict[str, float]) -> None:
        self.recent = [*self.recent[-(RECENT - 1) :], losses]

    def averages(self) -> dict[str, float]:
        names = self.recent[-1] if self.recent else {}
        return {name: sum(losses[name] for losses in self.recent) / len(self.recent) for name in names}


def values_of(check: Mapping[str, float]) -> dict[str, float]:
    """A check without its step."""
    return {name: value for name, value in check.items() if name != "step"}


def fingerprint(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def train(stage: Stage, recipe: StageRecipe, run: Run, *, checkpoint_every: int = CHECKPOINT_EVERY) -> StageReport:
    """Runs a stage to its last step, from its checkpoint if there is one, and leaves it at its best. Raises DivergedError or OtherRunError."""
    optimizer = torch.optim.Adam(stage.parameters(), lr=recipe.learning_rate)
    path = run.folder / f"{stage.name}.pt"
    state = _resume(path, stage, optimizer, run.fingerprint)
    if state.step == recipe.steps:
        return _report(state)
    check_every = max(1, recipe.steps // max(1, recipe.checks))
    with shown(stage.name, recipe, state.step) as show:
        while state.step < recipe.steps:
            began_at = time.monotonic()
            state.add(_step(stage, recipe, optimizer, state.step, run))
            state.step += 1
            state.seconds += time.monotonic() - began_at
            show(state.step, state.averages())
            if state.step % TRACK_EVERY == 0:
                run.tracker.values(stage.name, state.step, {**state.averages(), "learning_rate": recipe.rate(state.step - 1)})
            if state.step % check_every == 0 or state.step == recipe.steps:
                _check(stage, recipe, state, run.tracker)
            if state.step % checkpoint_every == 0 and state.step < recipe.steps and run.team.rank == 0:
                _save(path, stage, optimizer, state, run.fingerprint)
    if state.best is not None:
        stage.restore(state.best)
    if run.team.rank == 0:
        _save(path, stage, optimizer, state, run.fingerprint)
    return _report(state)


def _report(state: _State) -> StageReport:
    return StageReport(state.step, state.seconds / 60, state.averages(), state.checks, state.best_step)


def _check(stage: Stage, recipe: StageRecipe, state: _State, tracker: Tracker) -> None:
    found = dict(stage.check())
    sample = stage.sample()
    if sample is not None:
        tracker.picture(stage.name, state.step, sample)
    if found:
        state.checks.append({"step": state.step, **found})
        tracker.values(f"{stage.name}.check", state.step, found)
        log.info("%s %d, on what is not learnt from: %s", stage.name, state.step, {name: round(value, 4) for name, value in found.items()})
    value = next(iter(found.values()), -math.inf)
    if recipe.keep == "last" or value == -math.inf:
        state.best_step = state.step
    elif value > state.best_value:
        state.best_value, state.best_step = value, state.step
        state.best = {name: tensor.detach().cpu().clone() for name, tensor in stage.state().items()}


def _step(stage: Stage, recipe: StageRecipe, optimizer: torch.optim.Optimizer, step: int, run: Run) -> dict[str, float]:
    for group in optimizer.param_groups:
        group["lr"] = recipe.rate(step)
    dice = Randomness.of(run.seed, stage.name if run.team.rank == 0 else f"{stage.name}/{run.team.rank}", step)
    losses = stage.losses(step, dice)
    values = {name: float(loss.detach()) for name, loss in losses.items()}
    if not all(math.isfinite(value) for value in values.values()):
        raise DivergedError(f"{stage.name} step {step}: expected finite losses, got {values}; lower the learning rate ({recipe.rate(step):g} here)")
    optimizer.zero_grad(set_to_none=True)
    losses["total"].backward()
    run.team.average_gradients(parameter for group in optimizer.param_groups for parameter in group["params"])
    optimizer.step()
    stage.after_step(step, dice)
    return values


def _save(path: Path, stage: Stage, optimizer: torch.optim.Optimizer, state: _State, mark: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    kept = {name: getattr(state, name) for name in state.__slots__}
    torch.save({"fingerprint": mark, "stage": stage.state(), "optimizer": optimizer.state_dict(), "state": kept}, partial)
    partial.replace(path)  # whoever is killed here leaves the checkpoint before


def _resume(path: Path, stage: Stage, optimizer: torch.optim.Optimizer, mark: str) -> _State:
    if not path.is_file():
        return _State()
    checkpoint = torch.load(path, weights_only=True, map_location="cpu")  # whoever takes it copies it to its own device
    if checkpoint["fingerprint"] != mark:
        raise OtherRunError(f"{path}: a training of other pictures, sizes or steps; remove {path.parent} to start anew, or choose another output")
    stage.restore(checkpoint["stage"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    state = _State(**checkpoint["state"])
    log.info("%s: resuming at step %d", stage.name, state.step)
    return state
