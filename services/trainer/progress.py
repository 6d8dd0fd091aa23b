"""What a training reports -> two files in its job's folder, where it is and its curve of losses; and everything also to another tracker."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from training.job_files import LOSSES, PROGRESS, read_json, write_json
from training.recipes import Recipe
from training.tracking import Tracker

MOST_POINTS = 600


@dataclass(slots=True)
class Progress:
    """Losses with stage, step, steps of the stage and steps a second. Never raises: a training does not end because a disk is full."""

    folder: Path
    recipe: Recipe
    other: Tracker
    _since: dict[str, tuple[float, int]] = field(default_factory=dict)
    _curve: list[tuple[str, int, float]] | None = None

    def values(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        self.other.values(stage, step, values)
        steps = getattr(self.recipe, stage, None)
        if steps is None:  # what a check found
            return
        now = time.time()
        began_at, first = self._since.setdefault(stage, (now, step))
        told = {
            "stage": stage,
            "step": step,
            "steps": steps.steps,
            "losses": dict(values),
            "steps_per_s": (step - first) / (now - began_at) if step > first else None,
            "at": now,
        }
        try:
            write_json(self.folder / PROGRESS, told)
            write_json(self.folder / LOSSES, {"points": self._drawn(stage, step, values["total"])})
        except OSError:
            return

    def _drawn(self, stage: str, step: int, loss: float) -> list[tuple[str, int, float]]:
        """The curve with one more point: of a training that goes on at its last checkpoint what came after that is drawn anew, and a long one is thinned."""
        before = self._curve if self._curve is not None else [tuple(point) for point in read_json(self.folder / LOSSES).get("points", [])]
        points = [point for point in before if point[0] != stage or point[1] < step]
        self._curve = [*(points if len(points) < MOST_POINTS else points[::2]), (stage, step, loss)]
        return self._curve

    def picture(self, stage: str, step: int, picture: Tensor) -> None:
        self.other.picture(stage, step, picture)

    def finish(self, card: Mapping[str, Any]) -> None:
        self.other.finish(card)
