"""Features -> the nearest codes of a learnt codebook (DSR, Eq. 1; codebook by moving averages, van den Oord et al. 2017).

Legend: B batch, D code size, K codes, h w latent grid, N = B*h*w.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Quantized:
    """Codes (B, D, h, w) and which they are, indices (B, h, w)."""

    codes: Tensor
    indices: Tensor


class Quantizer(nn.Module):
    """One codebook. It is a buffer: averaged over the features that chose each code, never given a gradient."""

    codebook: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, codes: int, code_size: int, *, decay: float = 0.99, smoothing: float = 1e-5) -> None:
        super().__init__()
        self.decay = decay
        self.smoothing = smoothing
        self.register_buffer("codebook", torch.randn(codes, code_size))
        # Only training needs the averages; a served version does not carry them.
        self.register_buffer("counts", torch.ones(codes), persistent=False)
        self.register_buffer("sums", self.codebook.clone(), persistent=False)

    def forward(self, features: Tensor) -> Quantized:
        """(B, D, h, w) -> the nearest codes, without a gradient to the features (see `straight_through`)."""
        indices = self.nearest(features)
        return Quantized(self.lookup(indices), indices)

    @torch.no_grad()
    def nearest(self, features: Tensor) -> Tensor:
        """(B, D, h, w) -> indices (B, h, w). Always in fp32: half precision picks other codes."""
        return self.distances(features).argmin(dim=-1)

    @torch.no_grad()
    def distances(self, features: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, h, w, K): squared distance to every code, less |feature|^2, which ranks the same."""
        with torch.autocast(features.device.type, enabled=False):
            batch, size, rows, columns = features.shape
            flat = features.float().permute(0, 2, 3, 1).reshape(-1, size)  # (B, D, h, w) -> (N, D)
            codebook = self.codebook.float()
            distances = torch.addmm(codebook.square().sum(dim=1), flat, codebook.T, alpha=-2)  # (N, K)
            return distances.view(batch, rows, columns, -1)

    def lookup(self, indices: Tensor) -> Tensor:
        """(B, h, w) -> codes (B, D, h, w), by index: a one-hot matrix would take (N, K) floats for the same numbers."""
        return F.embedding(indices, self.codebook).permute(0, 3, 1, 2).contiguous()

    @torch.no_grad()
    def learn(self, features: Tensor, indices: Tensor, *, total: Callable[[Tensor], Tensor] = lambda own: own) -> None:
        """Moves each code towards the mean of the features that chose it. `total` adds up what several workers saw."""
        flat = features.detach().float().permute(0, 2, 3, 1).reshape(-1, features.shape[1])
        chosen = indices.reshape(-1)
        sums = torch.zeros_like(self.sums).index_add_(0, chosen, flat)
        sums, counts = total(sums), total(torch.bincount(chosen, minlength=len(self.counts)).to(self.counts.dtype))
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        seen = self.counts.sum()
        smoothed = (self.counts + self.smoothing) / (seen + len(self.counts) * self.smoothing) * seen
        self.codebook.copy_(self.sums / smoothed[:, None])

    @torch.no_grad()
    def trust_codebook(self, count: float) -> None:
        """Starts the averages at the codebook as it is, as if each code had been chosen `count` times a step."""
        self.counts.fill_(count)
        self.sums.copy_(self.codebook * count)

    @torch.no_grad()
    def seed(self, features: Tensor, generator: torch.Generator) -> None:
        """Starts every code at a random feature of a first batch."""
        drawn = self._draw(features, len(self.codebook), generator)
        self._reset(torch.arange(len(self.codebook), device=drawn.device), drawn, count=1.0)

    @torch.no_grad()
    def revive(self, features: Tensor, generator: torch.Generator, *, share: float = 0.03) -> int:
        """Gives codes chosen less than `share` of the average a random feature: without, most of a codebook dies. Returns how many."""
        average = float(self.counts.mean())
        dead = torch.nonzero(self.counts < share * average).flatten()
        if len(dead):
            self._reset(dead, self._draw(features, len(dead), generator), count=average)
        return len(dead)

    def _draw(self, features: Tensor, number: int, generator: torch.Generator) -> Tensor:
        flat = features.detach().float().permute(0, 2, 3, 1).reshape(-1, features.shape[1])
        return flat[torch.randint(len(flat), (number,), generator=generator).to(flat.device)]  # the dice are the CPU's, for equal runs anywhere

    def _reset(self, which: Tensor, codes: Tensor, *, count: float) -> None:
        self.codebook[which] = codes
        self.counts[which] = count
        self.sums[which] = codes * count


def straight_through(features: Tensor, codes: Tensor) -> Tensor:
    """The codes as value, the identity as gradient: the encoder learns through a choice that has no derivative."""
    return features + (codes - features).detach() if features.requires_grad else codes  # the sum rounds; serving takes the exact code
