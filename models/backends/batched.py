"""On a GPU: batches of a few fixed sizes, compiled once for each, with bfloat16 behind the code search.

Everything before a nearest code stays fp32, for half precision picks other codes; both decoders and both U-Nets, nine tenths of the work,
have none behind them. Compilation and the CUDA graphs that it records have never run on a GPU; padding, precision and compiled code are
tested on a CPU.

Legend: B batch, S the network's side.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.dsr import DSR, Detection

log = logging.getLogger(__name__)

BATCHES = (1, 8, 32)
"""Sizes that are compiled; other batches are filled up to the next one."""


class Batched:
    """`half` and `compiled` can be left out to see what each of them changes."""

    def __init__(self, dsr: DSR, side: int, *, batches: Sequence[int] = BATCHES, half: bool = True, compiled: bool = True) -> None:
        self.dsr = dsr.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.batches = tuple(sorted(batches))
        self.frames_per_pass = self.batches[-1]
        self.half = half
        self.device = dsr.codec.device
        torch.backends.cudnn.allow_tf32 = False  # a convolution before a nearest code is no place for ten bits
        self._detect = self._made_fast(self._plain_detect) if compiled else self._plain_detect
        self._upsample = self._made_fast(self._plain_upsample) if compiled else self._plain_upsample
        if compiled:
            self._warm_up(side)

    def detect(self, pictures: Tensor) -> Detection:
        general, specific, probabilities = self._padded(self._detect, pictures.to(self.device))
        return Detection(general, specific, probabilities)

    def upsample(self, detection: Detection) -> Tensor:
        (full_map,) = self._padded(self._upsample, detection.general, detection.specific, detection.probabilities)
        return full_map

    def _plain_detect(self, pictures: Tensor) -> tuple[Tensor, ...]:
        dsr = self.dsr
        latent = dsr.codec.encode(pictures)
        _, _, codes = dsr.restrict_codes(latent.lo.codes, latent.hi.codes)
        with self._half_precision():
            general, specific = dsr.codec.decode(latent), dsr.object_decoder(codes)
            logits = dsr.detection(specific, general)
        return general.float(), specific.float(), logits.float().softmax(dim=1)

    def _plain_upsample(self, general: Tensor, specific: Tensor, probabilities: Tensor) -> tuple[Tensor, ...]:
        with self._half_precision():
            logits = self.dsr.upsampling(specific, general, probabilities)
        return (logits.float().softmax(dim=1)[:, 1],)

    def _half_precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def _made_fast(self, function: Callable[..., tuple[Tensor, ...]]) -> Callable[..., tuple[Tensor, ...]]:
        return torch.compile(function, dynamic=False, mode="reduce-overhead" if self.device.type == "cuda" else "default")

    def _padded(self, function: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """Runs a batch filled up with zeros. Copies the answers: a CUDA graph writes the next ones to the same memory."""
        frames = len(inputs[0])
        size = next(size for size in self.batches if size >= frames)
        filled = [F.pad(one, (0, 0, 0, 0, 0, 0, 0, size - frames)).contiguous(memory_format=torch.channels_last) for one in inputs]
        return tuple(answer[:frames].clone() for answer in function(*filled))

    @torch.inference_mode()
    def _warm_up(self, side: int) -> None:
        """Every size before the first frame needs it; a CUDA graph is recorded by the second run."""
        for size in self.batches:
            for _ in range(2):
                self.upsample(self.detect(torch.zeros(size, 3, side, side)))
            log.info("compiled for batches of %d", size)
