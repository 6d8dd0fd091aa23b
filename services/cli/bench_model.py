"""`loupe bench model`: the engine against the plain eager network in fp32, each in a process of its own, by turns on the same frames.

Both load the same weights and answer the same requests; their answers are compared too. With `--preset` the weights are random
numbers, which a speed does not mind.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from services.cli.common import fail, print_json
from services.cli.measuring.network import write_line
from services.cli.models import named_errors, resolve_model

SIDES = ("engine", "baseline")


def model(
    model: Annotated[str, typer.Option(help="Version folder, id, or name of a shipped model.")] = "demo",
    preset: Annotated[str | None, typer.Option(help="small or paper: sizes of that preset, random weights, instead of a model.")] = None,
    rounds: Annotated[int, typer.Option(min=2, help="Turns of each side; short ones, so that both meet the same neighbours.")] = 12,
    frames: Annotated[int, typer.Option(min=1, help="Frames of a turn.")] = 4,
    flagged: Annotated[float, typer.Option(min=0, max=1, help="Share of frames that get a full map; 1: all of them.")] = 1.0,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch; default: its own choice.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable, on standard output alone")] = False,
) -> None:
    """Images per second of the engine, and how many times that is the plain network's, measured in turns."""
    with named_errors(), TemporaryDirectory(prefix="loupe-bench-") as workplace:
        folder, label = (resolve_model(model).path, model) if preset is None else (_random_version(preset, Path(workplace)), preset)
        report = {"preset": label, "threads": threads, "flagged": flagged, **measure(folder, rounds=rounds, frames=frames, flagged=flagged, threads=threads)}
    if as_json:
        print_json(report)
    else:
        parity = report["parity"]
        typer.echo(f"{label}, side {report['side']}: {report['images_per_s']:.1f} images/s, {report['ratio']:.2f} x plain eager fp32")
        typer.echo(f"p50 {report['p50_ms']:.1f} ms, p95 {report['p95_ms']:.1f} ms; answers differ by {parity['score_max_diff']:.1e} (score)")


def measure(folder: Path, *, rounds: int, frames: int, flagged: float = 1.0, threads: int | None = None) -> dict[str, Any]:
    """Interleaved rounds, so that what else the machine does meets both alike."""
    import numpy as np

    workers = {side: _Worker(side, folder, threads) for side in SIDES}
    try:
        answers = {side: workers[side].parity(frames) for side in SIDES}
        times: dict[str, list[list[float]]] = {side: [] for side in SIDES}
        for turn in range(rounds):
            for side in SIDES if turn % 2 else SIDES[::-1]:
                times[side].append(workers[side].turn(frames, first=turn * frames, flagged=flagged))
    finally:
        for worker in workers.values():
            worker.close()
    seconds = {side: [sum(turn) for turn in times[side]] for side in SIDES}
    rate = {side: frames / statistics.median(seconds[side]) for side in SIDES}
    per_frame = np.concatenate(times["engine"]) * 1000
    return {
        "images_per_s": rate["engine"],
        "baseline_images_per_s": rate["baseline"],
        "ratio": statistics.median(plain / ours for ours, plain in zip(seconds["engine"], seconds["baseline"], strict=True)),
        "p50_ms": float(np.percentile(per_frame, 50)),
        "p95_ms": float(np.percentile(per_frame, 95)),
        "side": workers["engine"].picture_side,
        "frames": rounds * frames,
        "parity": _compare(answers),
    }


class _Worker:
    """One side in a process of its own: a request a line, an answer a line."""

    def __init__(self, side: str, folder: Path, threads: int | None) -> None:
        # Not -m: the package imports the module, and Python would warn that it runs twice.
        command = [sys.executable, "-c", "from services.cli.measuring.network import main; main()", side, str(folder), str(threads or 0)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.picture_side = int(self._read()["side"])

    def turn(self, frames: int, *, first: int, flagged: float) -> list[float]:
        """Seconds of each frame; `first` is how many came before, so that flagged ones stay evenly spread."""
        return list(self._ask({"frames": frames, "first": first, "flagged": flagged})["seconds"])

    def parity(self, frames: int) -> dict[str, Any]:
        return self._ask({"parity": min(frames, 8)})

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(30)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        write_line(self.process.stdin, request)
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            fail(f"bench model: the measuring process ended with code {self.process.wait(30)}")
        return dict(json.loads(line))


def _compare(answers: dict[str, dict[str, Any]]) -> dict[str, float]:
    import numpy as np

    scores = np.abs(np.array(answers["engine"]["scores"]) - np.array(answers["baseline"]["scores"]))
    maps = np.abs(np.array(answers["engine"]["maps"]) - np.array(answers["baseline"]["maps"]))
    return {"score_max_diff": float(scores.max()), "mask_max_diff": float(maps.max()), "mask_mean_diff": float(maps.mean())}


def _random_version(preset: str, folder: Path) -> Path:
    import torch

    from models.checkpoint import STAGES, Version, save
    from models.dsr import DSR
    from models.preprocessing import Preprocessing
    from training.recipes import recipe

    sizes = recipe(preset)
    torch.manual_seed(0)
    save(folder, DSR(sizes.config), Version(sizes.config, Preprocessing(side=sizes.side), sizes.filter_side, STAGES), card={"name": preset})
    return folder
