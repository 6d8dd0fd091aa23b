"""Requests, a JSON line each -> seconds or answers of one network, in a process that does nothing else."""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def serve(side: str, folder: Path, threads: int, requests: Iterable[str], answers: IO[str]) -> None:
    """The measuring process: warm up, then answer until the requests end."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    network = EngineSide(folder) if side == "engine" else PlainSide(folder)
    pictures = torch.rand(8, 3, network.side, network.side, generator=torch.Generator().manual_seed(0))
    for picture in pictures[:3]:
        network.run(picture[None], full=True)
    write_line(answers, {"side": network.side})
    for line in requests:
        request = json.loads(line)
        if "parity" in request:
            found = [network.run(picture[None], full=True) for picture in pictures[: request["parity"]]]
            write_line(answers, {"scores": [score for score, _ in found], "maps": [full.tolist() for _, full in found]})
        else:
            write_line(answers, {"seconds": _timed(network, pictures, range(request["first"], request["first"] + request["frames"]), request["flagged"])})


class EngineSide:
    def __init__(self, folder: Path) -> None:
        from models.engine import Engine

        self.engine = Engine.load(folder)
        self.side = self.engine.preprocessing.side

    def run(self, picture: Any, *, full: bool) -> tuple[float, "np.ndarray"]:
        scored = self.engine.score(picture)
        return float(scored.scores[0]), (self.engine.mask(scored, [0]) if full else scored.coarse_maps)[0].numpy()


class PlainSide:
    """What one would write first: the network as it is, in eager fp32, on the same device."""

    def __init__(self, folder: Path) -> None:
        from models.checkpoint import load, read_version
        from models.engine import best_device

        version = read_version(folder)
        self.device = best_device()
        self.dsr, self.side, self.filter_side = load(folder).to(self.device), version.preprocessing.side, version.filter_side

    def run(self, picture: Any, *, full: bool) -> tuple[float, "np.ndarray"]:
        import torch

        from models.scoring import anomaly_score

        with torch.inference_mode():
            detection = self.dsr.detect(picture.to(self.device))
            score = float(anomaly_score(detection.anomaly_map, self.filter_side)[0])
            return score, (self.dsr.upsample(detection) if full else detection.anomaly_map)[0].cpu().numpy()


def _timed(network: EngineSide | PlainSide, pictures: Any, frames: range, flagged: float) -> list[float]:
    seconds = []
    for index in frames:
        full = int((index + 1) * flagged) > int(index * flagged)  # evenly spread
        started_at = time.perf_counter()
        network.run(pictures[index % len(pictures)][None], full=full)
        seconds.append(time.perf_counter() - started_at)
    return seconds


def write_line(stream: IO[str], message: dict[str, Any]) -> None:
    stream.write(json.dumps(message) + "\n")
    stream.flush()


def main() -> None:
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.stdin, sys.stdout)
