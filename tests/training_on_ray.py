"""Trainings on two workers of a Ray node, driven from a process of their own: jobs in as lines of JSON, how they ended out as lines of JSON.

A process that has spoken to one Ray keeps that one's token and cannot connect to another, so the suite's own never speaks to Ray for a training.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from infra.embedded.ray import RayNode
from tests.networks import TINY
from training.recipes import Recipe, StageRecipe, smoke
from training.stages import ON_OUR_OWN, Means, train_codec
from training.tracking import Silent

ROOT = Path(__file__).parents[1]
PATIENCE_S = 300
"""A training beside the suite makes Ray's many processes slow to start; nothing waits this long unless something is broken."""
JOBS = (sys.executable, "-m", "tests.training_on_ray")
NO_WATCHER = {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}
"""One process less a training: it asks whether a cloud takes the node away."""


@dataclass(frozen=True, slots=True)
class Job:
    """A codec to learn on two workers; `steps.jsonl` in its folder names the steps that were tracked, and the first worker's process."""

    folder: Path
    pictures: Path
    steps: int
    crop: int = 32
    start: Path | None = None

    @property
    def out(self) -> Path:
        return self.folder / "codec"

    @property
    def checkpoint(self) -> Path:
        return self.folder / ".codec.training" / "codec.pt"

    def tracked(self) -> list[tuple[int, int]]:
        """Process and step, in the order they came."""
        path = self.folder / "steps.jsonl"
        whole = path.read_text().rpartition("\n")[0] if path.is_file() else ""  # the last line may be half written
        return [(one["worker"], one["step"]) for one in map(json.loads, whole.splitlines())]

    def hold(self, step: int) -> Path:
        """As long as this file is there, a training waits for it at that step."""
        return self.folder / f"hold-{step}"

    def learn(self, means: Means = ON_OUR_OWN) -> Path:
        return train_codec([self.pictures], tiny(self.steps, crop=self.crop), self.out, start=self.start, means=means)


class Steps(Silent):
    """Writes down each step whose losses are tracked."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def values(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        if stage != "codec":  # what a check found
            return
        with (self.job.folder / "steps.jsonl").open("a") as file:
            file.write(json.dumps({"worker": os.getpid(), "step": step}) + "\n")
        while self.job.hold(step).exists():
            time.sleep(0.02)


def tiny(steps: int = 40, *, crop: int = 32) -> Recipe:
    codec = StageRecipe(steps, 8, 1e-3, warm_up=2, checks=1)
    return replace(smoke(), name="tiny", config=TINY, side=64, crop=crop, codec_strokes=0, codec=codec)


class Process:
    """A started command whose output goes to files, and what is waited for while it runs."""

    def __init__(self, command: tuple[str, ...], folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log, self._output = folder / "process.log", folder / "process.out"
        with self._log.open("w") as log, self._output.open("w") as output:
            everything = {**os.environ, **NO_WATCHER, **environment}
            self._popen = subprocess.Popen(command, cwd=ROOT, env=everything, stdin=subprocess.PIPE, stdout=output, stderr=log, text=True)

    def told(self) -> list[str]:
        return self._output.read_text().splitlines()

    def tell(self, line: str) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(f"{line}\n")
        self._popen.stdin.flush()

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self._popen.poll() is None, f"ended with {self._popen.returncode} before {what}:\n{self._last_lines()}"
            assert time.monotonic() < deadline, f"after {PATIENCE_S} s still no {what}:\n{self._last_lines()}"
            time.sleep(0.02)

    def close(self) -> None:
        """Its input ends, and so should it."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        try:
            self._popen.wait(30)
        finally:
            self._popen.kill()

    def _last_lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])


class Driver:
    """A process that drives trainings on a Ray node, one after the other."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._started = 0

    def start(self, job: Job) -> None:
        job.folder.mkdir(parents=True, exist_ok=True)
        self._started += 1
        self._process.tell(json.dumps(asdict(job), default=str))

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        self._process.wait_until(condition, what)

    def finished(self) -> None:
        """Waits for the job that was started last, which must not fail."""
        self._process.wait_until(lambda: len(self._process.told()) == self._started, "end of the training")
        assert json.loads(self._process.told()[-1]) == {"error": None}


@contextmanager
def driving(node: RayNode, folder: Path) -> Iterator[Driver]:
    process = Process((*JOBS, node.address), folder, node.environment)
    try:
        yield Driver(process)
    finally:
        process.close()


def training_workers(node: RayNode) -> list[psutil.Process]:
    """Those of this node alone, which is a child of the suite's process."""
    head = next(child for child in psutil.Process().children() if str(node.temp_folder) in " ".join(child.cmdline()))
    return [process for process in head.children(recursive=True) if "RayTrainWorker" in _title(process)]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # ended meanwhile
        return ""


def main(address: str) -> None:
    import ray

    from training.distributed import Workers, train_on
    from training.loop import TrainingError

    answers, sys.stdout = sys.stdout, sys.stderr  # Ray tells of dead workers on standard output
    ray.init(address=address, log_to_driver=False)
    for line in sys.stdin:
        job = _job(json.loads(line))
        error = None
        try:
            train_on(Workers(2), job.learn, name=job.folder.name, storage=job.folder / "ray", track=partial(_steps_of, job))
        except TrainingError as failed:
            error = str(failed)
        answers.write(json.dumps({"error": error}) + "\n")
        answers.flush()


def _job(fields: Mapping[str, Any]) -> Job:
    paths = {name: Path(fields[name]) for name in ("folder", "pictures", "start") if fields[name] is not None}
    return Job(**{**fields, **paths})


def _steps_of(job: Job, name: str, folder: Path, facts: Mapping[str, Any]) -> Steps:
    return Steps(job)


if __name__ == "__main__":
    main(sys.argv[1])
