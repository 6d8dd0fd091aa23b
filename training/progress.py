"""Steps of a stage -> what a person watches: a bar in a terminal, elsewhere a line in the log now and then."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from training.recipes import StageRecipe

log = logging.getLogger(__name__)

REPORT_EVERY = 50

Show = Callable[[int, Mapping[str, float]], None]
"""Steps done, and the losses by name."""


@contextmanager
def shown(name: str, recipe: StageRecipe, first: int) -> Iterator[Show]:
    """Progress on stderr, from step `first`."""
    columns: Sequence[Any] = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(name, total=recipe.steps, completed=first, note="")

        def show(done: int, losses: Mapping[str, float]) -> None:
            progress.update(task, completed=done)
            if done % REPORT_EVERY and done < recipe.steps:
                return
            per_second = (done - first) / max(1e-9, time.monotonic() - started)
            words = "  ".join(f"{name} {value:.4g}" for name, value in losses.items())
            speed = f"{per_second:.2f} steps/s  {per_second * recipe.batch:.1f} images/s"
            progress.update(task, note=f"{words}  {speed}")
            log.info("%s %d/%d  %s  %s  %.0f s left", name, done, recipe.steps, words, speed, (recipe.steps - done) / per_second)

        yield show
