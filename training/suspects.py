"""Good pictures -> the same, ranked by how unlike the others they are: one defect among them teaches that such a defect is normal.

Nothing is learnt: the codec's features describe each picture twice, as a whole (so that a dark, blurred or altogether other picture stands
out) and by what is in its places, less what the whole picture has in common (so that exposures do not hide a spot). In both views a picture's
distance is to the nearest pictures of other groups: one part under six exposures would otherwise vouch for itself.

Who is listed is worth a look; who is not may still be wrong. Of the defects of two fabrics, put among the good pictures, 88 and 91 of 100 are listed;
of magnetic tiles under changing light 11, of screws in any direction 4: their small defects are less unlike than good ones are.

Legend: N pictures, D code size, h w the finer latent grid.
"""

import hashlib
import logging
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from models.dsr import Codec
from models.preprocessing import to_tensor
from training.data import Parts
from training.groups import group_of, product_of

log = logging.getLogger(__name__)

SHOWN = 10
LIMIT = 3.0
"""Robust standard deviations beyond the median at which a picture is listed; of good ones 0 to 3.4 % are (measured on four products)."""
LEAST_SPREAD = 0.01
"""A hundredth of a distance: equal pictures have none at all."""
NEAREST = 3
PLACES = 4
"""Along each side."""
PICTURES_PER_PASS = 16
TO_DEVIATION = 1.4826
"""From the median distance to the median, to the standard deviation of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How far a good picture is from the others."""

    path: Path
    distance: float
    """In multiples of the median picture's."""
    z: float

    @property
    def listed(self) -> bool:
        return self.z > LIMIT


def rank_suspects(codec: Codec, parts: Parts) -> tuple[Suspicion, ...]:
    """All pictures to learn from, the least like the others first. Empty where all are of one group: there are no others."""
    groups = _numbered([group_of(path) for path in parts.paths])
    if len(groups.unique()) < 2:
        return ()
    distances = torch.stack([_distances(view, groups) for view in _views(codec, parts)]).clamp(min=1e-9).log()  # (2, N); skewed as they are
    beyond = distances - distances.median(dim=1, keepdim=True).values
    spread = TO_DEVIATION * beyond.abs().median(dim=1, keepdim=True).values
    z, view = (beyond / spread.clamp(min=LEAST_SPREAD)).max(dim=0)
    ratios = beyond.gather(0, view[None])[0].exp()
    found = [Suspicion(path, float(ratio), float(one)) for path, ratio, one in zip(parts.paths, ratios, z, strict=True)]
    return tuple(sorted(found, key=lambda suspicion: -suspicion.z))


def doubt(codec: Codec, parts: Parts) -> list[str]:
    """Warns of what among good pictures is worth a look, the least like the others first; their names, for the model card."""
    listed = [suspicion for suspicion in rank_suspects(codec, parts) if suspicion.listed]
    if listed:
        log.warning("%d of %d good pictures are unlike the others; a defect among them would be learnt as normal:", len(listed), len(parts.paths))
        for suspicion in listed[:SHOWN]:
            log.warning("  %s  %.1f deviations", suspicion.path, suspicion.z)
    for alike in same_pictures(parts):
        log.warning("%d good pictures are the same to the last pixel: %s", len(alike), ", ".join(map(str, alike[:SHOWN])))
    return [f"{product_of(suspicion.path).name}/{suspicion.path.name}" for suspicion in listed]


def same_pictures(parts: Parts) -> tuple[tuple[Path, ...], ...]:
    """Pictures to learn from that are equal to the last pixel, as the network sees them: a camera that hung, or a folder copied twice."""
    alike = defaultdict(list)
    for path, pixels in zip(parts.paths, parts.learn, strict=True):
        alike[hashlib.sha256(pixels.tobytes()).digest()].append(path)
    return tuple(tuple(paths) for paths in alike.values() if len(paths) > 1)


@torch.no_grad()
def _views(codec: Codec, parts: Parts) -> tuple[Tensor, Tensor]:
    """Each picture by its features: in its places (N, 2 * D * PLACES^2), and as a whole (N, 2 * D)."""
    places, wholes = [], []
    for first in range(0, len(parts.learn), PICTURES_PER_PASS):
        features = codec.encode(to_tensor(list(parts.learn[first : first + PICTURES_PER_PASS])).to(codec.device)).f_hi.float()  # (n, D, h, w)
        mean, deviation = features.mean(dim=(2, 3), keepdim=True), features.std(dim=(2, 3), keepdim=True)
        wholes.append(torch.cat([mean, deviation], dim=1).flatten(1).cpu())
        contrast = (features - mean) / (deviation + 1e-3)
        extremes = [F.adaptive_max_pool2d(sign * contrast, PLACES).flatten(1) for sign in (1, -1)]
        places.append(torch.cat(extremes, dim=1).cpu())
    return torch.cat(places), torch.cat(wholes)


def _distances(view: Tensor, groups: Tensor) -> Tensor:
    """(N, features) -> the mean distance to the nearest pictures of other groups (N,), each feature in units of its spread."""
    scaled = (view - view.mean(dim=0)) / (view.std(dim=0) + 1e-6)
    apart = torch.cdist(scaled, scaled).masked_fill(groups[:, None] == groups, torch.inf)
    nearest = apart.topk(min(NEAREST, len(view)), largest=False).values
    known = nearest.isfinite()  # of a large group there may be fewer others
    return nearest.where(known, 0).sum(dim=1) / known.sum(dim=1)


def _numbered(names: list[str]) -> Tensor:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return torch.tensor([numbers[name] for name in names])
