"""`loupe bench model`: the engine against eager PyTorch, each in a process of its own, by turns on the same frames.

All load the same weights and answer the same requests, and their answers are compared too: over the same codes, where maps must agree,
and each over its own, counted against exact distances in fp64.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import typer

from services.cli.common import fail, print_json
from services.cli.models import named_errors, resolve_model

TWO_STEP_FRAMES = 20
Baseline = Literal["eager", "compiled"]


def model(
    model: Annotated[str, typer.Option(help="Version folder, id, or name of a shipped model.")] = "demo",
    preset: Annotated[str | None, typer.Option(help="small or paper: sizes of that preset, random weights, instead of a model.")] = None,
    baseline: Annotated[Baseline, typer.Option(help="eager: PyTorch as one writes it, and as the authors do; compiled: torch.compile, too.")] = "eager",
    rounds: Annotated[int, typer.Option(min=2, help="Turns of each side; short ones, so that all meet the same neighbours.")] = 6,
    batch: Annotated[list[int] | None, typer.Option(min=1, help="Batch size to measure; may be given often. Default: 1 and 4, on a GPU 1, 8, 32, 128.")] = None,
    flagged: Annotated[float, typer.Option(min=0, max=1, help="Share of frames that get a full map in two steps.")] = 0.05,
    compare: Annotated[int, typer.Option(min=1, help="Frames whose answers are compared.")] = 4,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch; default: its own choice.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable, on standard output alone")] = False,
) -> None:
    """Images per second of the engine, and how many times that is PyTorch's without it, measured in turns."""
    with named_errors(), TemporaryDirectory(prefix="loupe-bench-") as workplace:
        folder, label = (resolve_model(model).path, model) if preset is None else (_random_version(preset, Path(workplace)), preset)
        sides = ("engine", "eager", "authors", *(["compiled"] if baseline == "compiled" else []))
        report = {"model": label, **measure(folder, sides=sides, rounds=rounds, batches=batch, flagged=flagged, compare=compare, threads=threads)}
    if as_json:
        print_json(report)
    else:
        _show(report)


def measure(
    folder: Path,
    *,
    sides: Sequence[str] = ("engine", "eager", "authors"),
    rounds: int = 6,
    batches: Sequence[int] | None = None,
    flagged: float = 0.05,
    compare: int = 4,
    threads: int | None = None,
) -> dict[str, Any]:
    """Interleaved rounds, so that what else the machine does meets all sides alike."""
    with ExitStack() as stack:
        workers = {side: stack.enter_context(_Worker(side, folder, threads)) for side in sides}
        with _Worker("oracle", folder, threads) as oracle:
            parity = _compared(workers, oracle, compare)
        batches = batches or _default_batches()
        turns = [_turn(workers, batches, flagged, at) for at in range(rounds)]
        memory = {side: worker.ask("memory") for side, worker in workers.items()}
        engine = workers["engine"]
    full = {size: {side: [turn[side, size] for turn in turns] for side in sides} for size in batches}
    two_step = [turn["two_step"] for turn in turns]
    first = full[batches[0]]
    ratios = {side: statistics.median(theirs / ours for ours, theirs in zip(first["engine"], first[side], strict=True)) for side in sides[1:]}
    return {
        "side": engine.picture_side,
        "threads": engine.threads,
        "images_per_s": _rate(first["engine"]),
        "ratio": ratios["authors"],
        "ratio_to_own_eager": ratios["eager"],
        **({"ratio_to_compiled": ratios["compiled"]} if "compiled" in ratios else {}),
        "two_step_images_per_s": _rate(two_step),
        "two_step_ratio": statistics.median(theirs / ours for ours, theirs in zip(two_step, first["authors"], strict=True)),
        "flagged": flagged,
        "batches": {str(size): {side: _spread(size, full[size][side]) for side in sides} for size in batches},
        "memory": memory,
        "rounds": rounds,
        **parity,
    }


class _Worker:
    """One side in a process of its own: a request a line, an answer a line."""

    def __init__(self, side: str, folder: Path, threads: int | None) -> None:
        # Not -m: the package imports the module, and Python would warn that it runs twice.
        command = [sys.executable, "-c", "from services.cli.measuring.network import main; main()", side, str(folder), str(threads or 0)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self._read()
        self.picture_side, self.threads = int(ready["side"]), int(ready["threads"])

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(30)

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([question, arguments]) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            fail(f"bench model: the measuring process ended with code {self.process.wait(30)}")
        return dict(json.loads(line))


def _turn(workers: dict[str, _Worker], batches: Sequence[int], flagged: float, at: int) -> dict[Any, float]:
    """Seconds a frame of each side and batch size, every frame with its full map; and of the engine in two steps, one frame at a time."""
    order = [*workers.items()][:: 1 if at % 2 else -1]
    seconds: dict[Any, float] = {}
    for size in batches:
        frames = max(size, 4 // size * size)
        for side, worker in order:
            seconds[side, size] = sum(worker.ask("turn", frames=frames, batch=size, first=at * frames, flagged=1.0)["seconds"]) / frames
    stepped = workers["engine"].ask("turn", frames=TWO_STEP_FRAMES, batch=1, first=at * TWO_STEP_FRAMES, flagged=flagged)
    return {**seconds, "two_step": sum(stepped["seconds"]) / TWO_STEP_FRAMES}


def _rate(seconds: Sequence[float]) -> float:
    return 1 / statistics.median(seconds)


def _spread(size: int, seconds: Sequence[float]) -> dict[str, float]:
    """Of turns: milliseconds a batch takes."""
    import numpy as np

    return {"images_per_s": _rate(seconds), **{f"p{share}_ms": float(np.percentile(seconds, share) * size * 1000) for share in (50, 95)}}


def _compared(workers: dict[str, _Worker], oracle: _Worker, frames: int) -> dict[str, Any]:
    """Largest differences of each side from the eager network over the same codes, of free scores, and codes that are not the nearest."""
    import numpy as np

    over_same: list[dict[str, Any]] = []
    free: list[dict[str, Any]] = []
    flips = dict.fromkeys(workers, 0)
    for frame in range(frames):
        exact = oracle.ask("answer", frame=frame)["codes"]
        over_same.append({side: worker.ask("answer", frame=frame, codes=exact) for side, worker in workers.items()})
        free.append({side: worker.ask("answer", frame=frame) for side, worker in workers.items()})
        for side in workers:
            flips[side] += sum(int((np.array(own) != np.array(one)).sum()) for own, one in zip(free[-1][side]["codes"], exact, strict=True))

    def largest(answers: list[dict[str, Any]], side: str, name: str) -> float:
        return max(float(np.abs(np.array(one[side][name]) - np.array(one["eager"][name])).max()) for one in answers)

    return {
        "score_max_diff": largest(over_same, "engine", "score"),
        "mask_max_diff": max(largest(over_same, "engine", "coarse"), largest(over_same, "engine", "full")),
        "free_score_max_diff": largest(free, "engine", "score"),
        "code_flips": {side: count / frames for side, count in flips.items()},
        "codes_per_frame": sum(np.array(one).size for one in exact),
        "compared_frames": frames,
    }


def _default_batches() -> tuple[int, ...]:
    import torch

    return (1, 8, 32, 128) if torch.cuda.is_available() else (1, 4)


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    typer.echo(f"{report['model']}, side {report['side']}, {report['threads']} threads")
    full, stepped = report["images_per_s"], report["two_step_images_per_s"]
    typer.echo(f"full maps:  {full:.2f} images/s, {report['ratio']:.2f} x the authors' form, {report['ratio_to_own_eager']:.2f} x eager PyTorch")
    typer.echo(f"two steps:  {stepped:.2f} images/s, {report['two_step_ratio']:.2f} x the authors' form; {report['flagged']:.0%} flagged")
    table = Table("batch", "side", "images/s", "p50 ms", "p95 ms", "peak MB")
    for size, sides in report["batches"].items():
        for side, found in sides.items():
            peak = report["memory"][side]["peak_mb"]
            table.add_row(size, side, f"{found['images_per_s']:.2f}", f"{found['p50_ms']:.0f}", f"{found['p95_ms']:.0f}", f"{peak:.0f}")
    Console().print(table)
    typer.echo(f"same codes: score within {report['score_max_diff']:.1e}, maps within {report['mask_max_diff']:.1e}")
    typer.echo(f"own codes:  score within {report['free_score_max_diff']:.1e}; not the nearest, of {report['codes_per_frame']} a frame: ", nl=False)
    typer.echo(", ".join(f"{side} {count:g}" for side, count in report["code_flips"].items()))


def _random_version(preset: str, folder: Path) -> Path:
    """Random weights. The codebooks are features of random pictures, so that codes are as diverse as those of a trained network."""
    import torch

    from models.checkpoint import STAGES, Version, save
    from models.dsr import DSR
    from models.preprocessing import Preprocessing
    from training.recipes import recipe

    sizes, dice = recipe(preset), torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    dsr = DSR(sizes.config)
    with torch.no_grad():
        fine, f_lo = dsr.codec.encoder(torch.rand(4, 3, sizes.side, sizes.side, generator=dice))
        dsr.codec.quantizer_lo.seed(f_lo, dice)
        dsr.codec.quantizer_hi.seed(dsr.codec.features_hi(fine, dsr.codec.quantizer_lo(f_lo).codes), dice)
    save(folder, dsr, Version(sizes.config, Preprocessing(side=sizes.side), sizes.filter_side, STAGES), card={"name": preset})
    return folder
