"""How much of good parts a network draws: the check for the collapse that no loss shows.

In a short training the object-specific branch can learn the average colour of a part and nothing else. Every loss still falls,
the detector then judges with one eye, and metrics look fair. The share of explained variance shows it.
"""

import logging
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from models.dsr import DSR

log = logging.getLogger(__name__)

COLLAPSED_BELOW = 0.5
"""I_spc must explain at least this share of what I_gen explains."""

SMALLEST_VARIANCE = 1e-8


@dataclass(frozen=True, slots=True)
class Explained:
    """Shares of the variance within a picture, on good parts that were not learnt from; 1 is perfect, 0 the average colour."""

    general: float
    specific: float
    restricted_lo: float
    restricted_hi: float

    @property
    def collapsed(self) -> bool:
        return self.specific < COLLAPSED_BELOW * self.general

    def to_dict(self) -> dict[str, float]:
        return {name: round(value, 3) for name, value in asdict(self).items()}


@torch.no_grad()
def explained(dsr: DSR, pictures: Tensor) -> Explained:
    """Of good parts (B, 3, H, W)."""
    latent = dsr.codec.encode(pictures)
    restricted = dsr.restrict(latent.lo.codes, latent.hi.codes)
    return Explained(
        general=share(dsr.codec.decode(latent), pictures),
        specific=share(restricted.picture, pictures),
        restricted_lo=share(restricted.f_lo, latent.lo.codes),
        restricted_hi=share(restricted.f_hi, latent.hi.codes),
    )


def share(drawn: Tensor, truth: Tensor) -> float:
    """1 - error / variance of the truth around its mean over each picture, both (B, C, H, W); 0 where the truth hardly varies."""
    variance = (truth - truth.mean(dim=(2, 3), keepdim=True)).square().mean()
    error = (drawn - truth).square().mean()
    return float(1 - error / variance) if variance > SMALLEST_VARIANCE else 0.0


def check(dsr: DSR, pictures: Tensor, *, after: str) -> Explained:
    """Logs the shares, and warns when the object-specific picture has collapsed."""
    result = explained(dsr, pictures)
    log.info("after %s, variance explained on good parts: %s", after, result.to_dict())
    if result.collapsed:
        log.warning(
            "the object-specific picture explains %.2f of a good part's variance, the general one %.2f: it is close to the average colour; train the stage "
            "`objects` for more steps",
            result.specific,
            result.general,
        )
    return result
