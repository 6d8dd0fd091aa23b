"""A stage of training, step by step: schedule, loss, gradient, checkpoint, progress.

A run that stops is resumed at its last checkpoint by starting it again: weights, optimizer and step come from the file,
everything random is a function of seed and step (`training.randomness`).
"""

import hashlib
import json
import logging
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from training.randomness import Randomness
from training.recipes import StageRecipe

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = 200
REPORT_EVERY = 50


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

    def state(self) -> dict[str, Tensor]:
        """Weights and averages, as `restore` takes them."""

    def restore(self, state: dict[str, Tensor]) -> None: ...


@dataclass(frozen=True, slots=True)
class Run:
    """Where and as what a training runs. The fingerprint is of everything that must be equal for a resume to make sense."""

    folder: Path
    seed: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StageReport:
    """What a finished stage has to say for the model card."""

    steps: int
    losses: dict[str, float]
    """Averages over the last steps."""


def fingerprint(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def train(stage: Stage, recipe: StageRecipe, run: Run, *, checkpoint_every: int = CHECKPOINT_EVERY) -> StageReport:
    """Runs a stage to its last step, from its checkpoint if there is one. Raises DivergedError or OtherRunError."""
    optimizer = torch.optim.Adam(stage.parameters(), lr=recipe.learning_rate)
    path = run.folder / f"{stage.name}.pt"
    recent = _Recent()
    first = _resume(path, stage, optimizer, run.fingerprint, recent)
    with _shown(stage.name, recipe, first) as show:
        for step in range(first, recipe.steps):
            recent.add(_step(stage, recipe, optimizer, step, run.seed))
            show.step(step, recent)
            if (step + 1) % checkpoint_every == 0 and step + 1 < recipe.steps:
                _save(path, stage, optimizer, step + 1, run.fingerprint, recent)
    if first < recipe.steps:
        _save(path, stage, optimizer, recipe.steps, run.fingerprint, recent)
    return StageReport(recipe.steps, recent.averages())


def _step(stage: Stage, recipe: StageRecipe, optimizer: torch.optim.Optimizer, step: int, seed: int) -> dict[str, float]:
    for group in optimizer.param_groups:
        group["lr"] = recipe.rate(step)
    dice = Randomness.of(seed, stage.name, step)
    losses = stage.losses(step, dice)
    values = {name: float(loss.detach()) for name, loss in losses.items()}
    if not all(math.isfinite(value) for value in values.values()):
        raise DivergedError(f"{stage.name} step {step}: expected finite losses, got {values}; lower the learning rate ({recipe.rate(step):g} here)")
    optimizer.zero_grad(set_to_none=True)
    losses["total"].backward()
    optimizer.step()
    stage.after_step(step, dice)
    return values


def _save(path: Path, stage: Stage, optimizer: torch.optim.Optimizer, step: int, mark: str, recent: "_Recent") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({"step": step, "fingerprint": mark, "stage": stage.state(), "optimizer": optimizer.state_dict(), "losses": recent.values}, partial)
    partial.replace(path)  # whoever is killed here leaves the checkpoint before


def _resume(path: Path, stage: Stage, optimizer: torch.optim.Optimizer, mark: str, recent: "_Recent") -> int:
    if not path.is_file():
        return 0
    checkpoint = torch.load(path, weights_only=True, map_location="cpu")  # whoever takes it copies it to its own device
    if checkpoint["fingerprint"] != mark:
        raise OtherRunError(f"{path}: a training of other pictures, sizes or steps; remove {path.parent} to start anew, or choose another output")
    stage.restore(checkpoint["stage"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    recent.values = checkpoint["losses"]
    log.info("%s: resuming at step %d", stage.name, checkpoint["step"])
    return int(checkpoint["step"])


class _Recent:
    """Averages of the last losses: single steps jump."""

    def __init__(self, keep: int = 100) -> None:
        self.keep = keep
        self.values: list[dict[str, float]] = []

    def add(self, losses: dict[str, float]) -> None:
        self.values = [*self.values[-(self.keep - 1) :], losses]

    def averages(self) -> dict[str, float]:
        names = self.values[-1] if self.values else {}
        return {name: sum(value[name] for value in self.values) / len(self.values) for name in names}


class _Show:
    """Progress on stderr: a bar in a terminal, otherwise a line in the log every few steps."""

    def __init__(self, name: str, recipe: StageRecipe, first: int, progress: Progress, task: TaskID) -> None:
        self.name, self.recipe, self.first, self.progress, self.task = name, recipe, first, progress, task
        self.started = time.monotonic()

    def step(self, step: int, recent: _Recent) -> None:
        self.progress.update(self.task, completed=step + 1)
        if (step + 1) % REPORT_EVERY and step + 1 < self.recipe.steps:
            return
        per_second = (step + 1 - self.first) / max(1e-9, time.monotonic() - self.started)
        losses = "  ".join(f"{name} {value:.4g}" for name, value in recent.averages().items())
        speed = f"{per_second:.2f} steps/s  {per_second * self.recipe.batch:.1f} images/s"
        self.progress.update(self.task, note=f"{losses}  {speed}")
        log.info("%s %d/%d  %s  %s  %.0f s left", self.name, step + 1, self.recipe.steps, losses, speed, (self.recipe.steps - step - 1) / per_second)


@contextmanager
def _shown(name: str, recipe: StageRecipe, first: int) -> Iterator[_Show]:
    columns: Sequence[Any] = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        yield _Show(name, recipe, first, progress, progress.add_task(name, total=recipe.steps, completed=first, note=""))
