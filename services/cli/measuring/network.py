"""One network in a process that does nothing else: requests, a JSON line each -> seconds, answers, or memory.

Sides: the engine; our own network in eager PyTorch, with indexed lookup; the same written as the authors' code is (one-hot lookup, all maps
always, the allocator as it comes); our own through torch.compile; and fp64 with exact distances, the oracle of which code is nearest.
"""

import json
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.checkpoint import load, read_version
from models.choices import choices
from models.dsr.codec import Codec
from models.dsr.quantizer import Quantized, Quantizer
from models.engine import Engine, best_device
from models.preprocessing import to_tensor
from models.registry import GOLDEN
from models.scoring import anomaly_score

ROWS_AT_ONCE = 512
"""Of features whose exact distances to all codes are in memory together."""


class EngineSide:
    """What is served: the full map only of frames that call for one."""

    def __init__(self, folder: Path) -> None:
        self.engine = Engine.load(folder)
        self.codec: Codec = self.engine.backend.dsr.codec

    def run(self, pictures: Tensor, *, full: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        scored = self.engine.score(pictures)
        return scored.scores, scored.coarse_maps, self.engine.mask(scored, full)


class EagerSide:
    """What one would write first. Every frame gets its full map: nothing in it knows which ones need none."""

    def __init__(self, folder: Path) -> None:
        self.dsr = load(folder).to(best_device())
        self.codec, self.filter_side = self.dsr.codec, read_version(folder).filter_side

    @torch.inference_mode()
    def run(self, pictures: Tensor, *, full: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        detection = self.dsr.detect(pictures.to(self.codec.device, self.dsr.detection.unet.to_logits.weight.dtype))
        score = anomaly_score(detection.anomaly_map, self.filter_side)
        return score.float().cpu(), detection.anomaly_map.float().cpu(), self.dsr.upsample(detection).float().cpu()


class AuthorsSide(EagerSide):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        _replace_quantizers(self.codec, OneHotQuantizer)


class OracleSide(EagerSide):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        _replace_quantizers(self.codec, ExactQuantizer)
        self.dsr.double()


class CompiledSide(EagerSide):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.dsr.detect = torch.compile(self.dsr.detect)  # type: ignore[method-assign]
        self.dsr.upsample = torch.compile(self.dsr.upsample)  # type: ignore[method-assign]


class OneHotQuantizer(nn.Module):
    """A vector quantizer as the authors' code, and most others, have it: all squared distances in full, a one-hot matrix times the codebook,
    and the loss and perplexity that only a training needs, computed at every call."""

    codebook: Tensor

    def __init__(self, quantizer: Quantizer) -> None:
        super().__init__()
        self.register_buffer("codebook", quantizer.codebook)

    def forward(self, features: Tensor) -> Quantized:
        last = features.permute(0, 2, 3, 1).contiguous()  # (B, D, h, w) -> (B, h, w, D)
        flat = last.view(-1, last.shape[-1])
        distances = (flat**2).sum(dim=1, keepdim=True) + (self.codebook**2).sum(dim=1) - 2 * flat @ self.codebook.T
        indices = distances.argmin(dim=1, keepdim=True)
        one_hot = torch.zeros(len(flat), len(self.codebook), device=flat.device).scatter_(1, indices, 1)
        codes = (one_hot @ self.codebook).view(last.shape)
        _loss = 0.25 * F.mse_loss(codes, last)
        codes = last + (codes - last)
        usage = one_hot.mean(dim=0)
        _perplexity = torch.exp(-(usage * (usage + 1e-10).log()).sum())
        return Quantized(codes.permute(0, 3, 1, 2).contiguous(), indices.view(last.shape[:-1]))


class ExactQuantizer(nn.Module):
    """Nearest by |x - e| itself, which cancels nothing."""

    codebook: Tensor

    def __init__(self, quantizer: Quantizer) -> None:
        super().__init__()
        self.register_buffer("codebook", quantizer.codebook)

    def forward(self, features: Tensor) -> Quantized:
        last = features.permute(0, 2, 3, 1)
        rows = last.reshape(-1, last.shape[-1]).split(ROWS_AT_ONCE)
        exact = "donot_use_mm_for_euclid_dist"
        indices = torch.cat([torch.cdist(part, self.codebook, compute_mode=exact).argmin(dim=1) for part in rows]).view(last.shape[:-1])
        return Quantized(F.embedding(indices, self.codebook).permute(0, 3, 1, 2), indices)


SIDES: dict[str, type[EngineSide | EagerSide]] = {
    "engine": EngineSide,
    "eager": EagerSide,
    "authors": AuthorsSide,
    "compiled": CompiledSide,
    "oracle": OracleSide,
}


class Measured:
    """Answers requests about one side."""

    def __init__(self, side: str, folder: Path) -> None:
        self.network = SIDES[side](folder)
        self.pictures = _pictures(folder)

    def turn(self, frames: int, batch: int, first: int, flagged: float) -> dict[str, Any]:
        """Seconds of each batch; `first` says how many frames came before, so that flagged ones stay evenly spread."""
        seconds = []
        for at in range(first, first + frames, batch):
            pictures = torch.stack([self.pictures[index % len(self.pictures)] for index in range(at, at + batch)])
            full = [index for index in range(batch) if int((at + index + 1) * flagged) > int((at + index) * flagged)]
            started_at = time.perf_counter()
            self.network.run(pictures, full=full)
            seconds.append(time.perf_counter() - started_at)
        return {"seconds": seconds}

    def answer(self, frame: int, codes: list[Any] | None = None) -> dict[str, Any]:
        """Score, coarse map, full map and which codes were nearest, of one frame; over these codes where some are given."""
        given = None if codes is None else [torch.tensor(indices, device=self.network.codec.device) for indices in codes]
        with choices(self.network.codec, given) as chosen:
            score, coarse, full = self.network.run(self.pictures[frame % len(self.pictures)][None], full=[0])
        return {"score": float(score[0]), "coarse": coarse[0].tolist(), "full": full[0].tolist(), "codes": [indices.tolist() for indices in chosen]}

    def memory(self) -> dict[str, Any]:
        """The most that was in use since the start, MiB: of the process, and of the GPU where there is one."""
        gpu = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None
        return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "peak_gpu_mb": gpu}


def _replace_quantizers(codec: Codec, kind: type[OneHotQuantizer | ExactQuantizer]) -> None:
    codec.quantizer_lo, codec.quantizer_hi = kind(codec.quantizer_lo), kind(codec.quantizer_hi)  # type: ignore[assignment]


def _pictures(folder: Path) -> Tensor:
    """The version's golden frames, where it has some; else smooth noise, which is nearer to pictures than white noise is."""
    version = read_version(folder)
    golden = [version.preprocessing.decode(path.read_bytes()) for path in sorted((folder / GOLDEN).glob("*.png"))]
    if golden:
        return to_tensor(golden)
    side = version.preprocessing.side
    coarse = torch.rand(4, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, size=side, mode="bilinear")


def serve(side: str, folder: Path, threads: int, requests: Iterable[str], answers: IO[str]) -> None:
    """Warm up, then answer until the requests end."""
    if threads:
        torch.set_num_threads(threads)
    measured = Measured(side, folder)
    for _ in range(1 if side == "oracle" else 2):
        measured.answer(0)
    write_line(answers, {"side": measured.pictures.shape[-1], "threads": torch.get_num_threads()})
    for line in requests:
        question, arguments = json.loads(line)
        write_line(answers, getattr(measured, question)(**arguments))


def write_line(stream: IO[str], message: Any) -> None:
    stream.write(json.dumps(message) + "\n")
    stream.flush()


def main() -> None:
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.stdin, sys.stdout)
