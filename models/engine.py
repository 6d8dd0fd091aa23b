"""A model version on one device: pictures -> anomaly scores, and full maps for the few frames that need them.

Two steps, because the score needs no upsampling module (four tenths of the work): `score` for every frame, `mask` for some of them.
How a device gets through them fast is its backend's part.

Legend: B batch, S the network's side, n frames of the batch.
"""

import ctypes
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from models.backends import Backend, backend_for
from models.checkpoint import load, read_version
from models.dsr import Detection
from models.preprocessing import Preprocessing, check_input, to_tensor
from models.registry import GOLDEN, BrokenModelError, read_json
from models.scoring import anomaly_score

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scored:
    """The first step's answer; `detections` hold what `Engine.mask` goes on from."""

    scores: Tensor  # (B,), 0..1
    coarse_maps: Tensor  # (B, S, S), 0..1
    detections: tuple[Detection, ...]  # one a frame


class Engine:
    """Serves one version. Not thread-safe: torch's threads work on one call at a time."""

    def __init__(self, backend: Backend, preprocessing: Preprocessing, *, filter_side: int, full_maps: bool = True) -> None:
        self.backend = backend
        self.preprocessing = preprocessing
        self.filter_side = filter_side
        self.full_maps = full_maps
        """Whether the upsampling module has learnt; if not, `mask` gives the coarse maps."""

    @classmethod
    def load(cls, path: Path | str, *, threads: int | None = None, device: str | None = None, native: bool = True) -> Self:
        """A version folder -> an engine, ready for its first frame. `threads` is of the process; `native`: loops of our own on a CPU.

        Raises CheckpointError, UntrainedError where it never learnt to detect.
        """
        folder = Path(path)
        version = read_version(folder)
        full_maps = "upsampling" in version.completed_stages
        if not full_maps:
            log.warning("model %s has no trained upsampling module: its maps are the coarse ones", folder.name[:12])
        if threads is not None:
            torch.set_num_threads(threads)
        keep_memory()
        dsr = load(folder, full_maps=full_maps)
        backend = backend_for(dsr, torch.device(device) if device else best_device(), version.preprocessing.side, native=native)
        return cls(backend, version.preprocessing, filter_side=version.filter_side, full_maps=full_maps)

    @torch.inference_mode()
    def score(self, batch: Tensor) -> Scored:
        """(B, 3, S, S) floats in 0..1, BGR. Every frame's answer is the one that it would get alone. ValueError for other input."""
        check_input(batch, self.preprocessing.side)
        detections = [self.backend.detect(part) for part in batch.split(self.backend.frames_per_pass)]
        scores = torch.cat([anomaly_score(detection.anomaly_map, self.filter_side) for detection in detections])
        maps = torch.cat([detection.anomaly_map for detection in detections])
        frames = tuple(detection.select([index]) for detection in detections for index in range(len(detection.probabilities)))
        return Scored(scores.cpu(), maps.cpu(), frames)

    @torch.inference_mode()
    def mask(self, scored: Scored, indices: Sequence[int]) -> Tensor:
        """Full maps (n, S, S), 0..1, of these frames of the batch."""
        if not self.full_maps or not indices:
            return scored.coarse_maps[list(indices)]
        chosen, at_once = [scored.detections[index] for index in indices], self.backend.frames_per_pass
        passes = [chosen[at : at + at_once] for at in range(0, len(chosen), at_once)]
        return torch.cat([self.backend.upsample(_joined(frames)) for frames in passes]).cpu()


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def check_golden(engine: Engine, folder: Path, *, ask: Callable[[Tensor], Scored] | None = None) -> dict[str, float]:
    """Scores of a version's golden frames; BrokenModelError where one is not what it was when the version was made.

    `ask` is the engine's own `score`, called where its other frames are scored: it works on one call at a time.
    """
    expected = read_json(folder / GOLDEN / "expected.json")
    scores = {}
    for name, score in expected["scores"].items():
        picture = engine.preprocessing.decode((folder / GOLDEN / name).read_bytes())
        scores[name] = float((ask or engine.score)(to_tensor([picture])).scores[0])
        if abs(scores[name] - score) > expected["tolerance"]:
            raise BrokenModelError(f"{folder / GOLDEN / name}: expected a score within {expected['tolerance']:g} of {score:.6f}, got {scores[name]:.6f}")
    return scores


@cache
def keep_memory() -> bool:
    """Tells glibc to keep what is freed: it returned the large activations to the system and faulted them in again for every frame.

    The same as MALLOC_MMAP_MAX_=0, MALLOC_TRIM_THRESHOLD_ and MALLOC_TOP_PAD_ in the environment, for a process that already runs.
    """
    if not sys.platform.startswith("linux"):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:  # another C library
        return False
    mmap_max, trim_threshold, top_pad = -4, -1, -2
    return all((set_option(mmap_max, 0), set_option(trim_threshold, 2**31 - 1), set_option(top_pad, 64 * 2**20)))


def _joined(detections: Sequence[Detection]) -> Detection:
    """Frames -> one batch."""
    return Detection(
        torch.cat([detection.general for detection in detections]),
        torch.cat([detection.specific for detection in detections]),
        torch.cat([detection.probabilities for detection in detections]),
    )
