"""Stages 2 and 3: what a good part looks like, where a part differs from that, and the outline of it (DSR, section 3.7).

Stage 2 has two steps here. The detection module sees both pictures detached, so the object-specific branch can learn alone first,
at a quarter of the cost; the paper trains both together from the beginning (`objects` of 0 steps). Where there are real defects with
masks, some places of each batch are theirs (section 4.2): they teach the two heads, never what a good part looks like.

Legend: B batch (of one worker), S side.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.dsr import DSR
from models.dsr.dsr import Restricted
from models.preprocessing import Pixels, to_tensor
from training import explained
from training.data import rotated, turned
from training.defects import Defects, varied
from training.losses import feature_loss, focal_loss
from training.randomness import Randomness, drawn_indices
from training.recipes import Recipe
from training.synthesis import Altered, altered_codes, pooled, random_masks, repeated, smudged
from training.team import ALONE, Team
from training.validation import Validation, contact_sheet, measured

log = logging.getLogger(__name__)

PICTURE_WEIGHT = 10.0
SMUDGED_SHARE = 0.75


@cache
def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether `device` computes in bfloat16 itself. A processor without AVX-512 imitates it, 30 times slower than fp32."""
    on_gpu = device.type == "cuda"
    native = torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else torch.backends.cpu.get_cpu_capability() == "AVX512"
    if not native:
        log.info("No bfloat16 on %s: this training computes in fp32.", device)
    return native


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a detector is taught with."""

    parts: Pixels  # (N, S, S, 3), good
    defects: Defects | None = None
    validation: Validation | None = None
    team: Team = ALONE


class _Frozen:
    """What the stages after the codec share: a network of which only some modules learn, and good parts to learn from."""

    name: str
    full_maps = False
    """Whether the stage is measured by the map of the upsampling module."""

    def __init__(self, dsr: DSR, lessons: Lessons, recipe: Recipe, *, seed: int) -> None:
        self.dsr = dsr
        self.parts, self.defects, self.validation, self.team = lessons.parts, lessons.defects, lessons.validation, lessons.team
        self.recipe = recipe
        self.seed = seed

    def learning(self) -> tuple[nn.Module, ...]:
        raise NotImplementedError

    def parameters(self) -> Iterator[nn.Parameter]:
        self.dsr.requires_grad_(False)
        for module in self.learning():
            module.requires_grad_(True)
        return chain.from_iterable(module.parameters() for module in self.learning())

    def after_step(self, step: int, dice: Randomness) -> None:
        pass

    def check(self) -> Mapping[str, float]:
        return self._map_quality()

    def _map_quality(self) -> Mapping[str, float]:
        if self.validation is None:
            return {}
        return measured(self.dsr, self.validation, full=self.full_maps, filter_side=self.recipe.filter_side)

    def sample(self) -> Tensor | None:
        return None if self.validation is None else contact_sheet(self.dsr, self.validation, full=self.full_maps)

    def state(self) -> dict[str, Tensor]:
        return self.dsr.state_dict()

    def restore(self, state: dict[str, Tensor]) -> None:
        self.dsr.load_state_dict(state)

    def _shares(self, batch: int) -> tuple[int, int]:
        """Of one worker's share of a batch: good parts, and real defects where there are any."""
        own = batch // self.team.size
        real = 0 if self.defects is None else min(own - 1, max(1, round(self.recipe.defects * own)))
        return own - real, real

    def _pictures(self, step: int, number: int, dice: np.random.Generator) -> list[Pixels]:
        indices = drawn_indices(len(self.parts), number * self.team.size, seed=self.seed, step=step)[self.team.rank :: self.team.size]
        return [self._varied(self.parts[index], dice) for index in indices]

    def _real_defects(self, number: int, dice: np.random.Generator) -> tuple[list[Pixels], list[Pixels]]:
        """Pictures (S, S, 3) and masks (S, S) of 0 or 1."""
        assert self.defects is not None
        drawn = []
        for _ in range(number):
            which, part = int(dice.integers(len(self.defects))), self.parts[int(dice.integers(len(self.parts)))]
            drawn.append(varied(self.defects.pictures[which], self.defects.masks[which], part, dice, turns=self.recipe.flips))
        return [picture for picture, _ in drawn], [mask for _, mask in drawn]

    def _varied(self, picture: Pixels, dice: np.random.Generator) -> Pixels:
        if self.recipe.flips:
            picture = turned(picture, dice)
        return rotated(picture, dice) if dice.random() < self.recipe.rotation else picture

    def _half_precision(self) -> AbstractContextManager[object]:
        device = self.dsr.codec.device
        return torch.autocast(device.type, torch.bfloat16, enabled=self.recipe.bfloat16 and multiplies_bfloat16(device))


class ObjectStage(_Frozen):
    """The object-specific branch alone: restriction of both grids, and the object decoder."""

    name = "objects"

    def learning(self) -> tuple[nn.Module, ...]:
        return self.dsr.restriction_lo, self.dsr.restriction_hi, self.dsr.object_decoder

    def check(self) -> Mapping[str, float]:
        if self.validation is None:
            return {}
        shares = explained.explained(self.dsr, self.validation.good.to(self.dsr.codec.device)).to_dict()
        return {"specific": shares.pop("specific"), **shares}

    def losses(self, step: int, dice: Randomness) -> Mapping[str, Tensor]:
        return _summed(self._restore_altered(step, self.recipe.objects.batch // self.team.size, dice)[2])

    def _restore_altered(self, step: int, batch: int, dice: Randomness) -> tuple[Altered, Restricted, dict[str, Tensor]]:
        """Good parts, some altered in code space, and how far from the good ones the branch brings them back."""
        device = self.dsr.codec.device
        pictures = to_tensor(self._pictures(step, batch, dice.numpy)).to(device)
        masks = random_masks(batch, self.recipe.side, dice.numpy, strokes=self.recipe.strokes).to(device)
        altered, q_lo, q_hi = altered_codes(self.dsr.codec, pictures, masks, dice, similarity=self.recipe.similarity)
        with self._half_precision():
            restricted = self.dsr.restrict(altered.q_lo, altered.q_hi)
        losses = {
            "lo": feature_loss(restricted.f_lo, q_lo),
            "hi": feature_loss(restricted.f_hi, q_hi),
            "picture": PICTURE_WEIGHT * F.mse_loss(restricted.picture.float(), pictures),
        }
        return altered, restricted, losses


class DetectionStage(ObjectStage):
    """All of stage 2: the object-specific branch, and the detection module on both of its pictures."""

    name = "detection"

    def learning(self) -> tuple[nn.Module, ...]:
        return *super().learning(), self.dsr.detection

    def check(self) -> Mapping[str, float]:
        return self._map_quality()

    def losses(self, step: int, dice: Randomness) -> Mapping[str, Tensor]:
        good, real = self._shares(self.recipe.detection.batch)
        altered, restricted, losses = self._restore_altered(step, good, dice)
        with torch.no_grad():
            general = self.dsr.codec.decoder(self.dsr.codec.join(altered.q_lo, altered.q_hi))
        specific, target = restricted.picture.detach().float(), altered.target
        if real:
            shown = self._shown_defects(real, dice.numpy)
            specific, general, target = (torch.cat(pair) for pair in zip((specific, general, target), shown, strict=True))
        with self._half_precision():
            logits = self.dsr.detection(specific, general)
        return _summed({"focal": focal_loss(logits, target), **losses})

    @torch.no_grad()
    def _shown_defects(self, number: int, dice: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """I_spc, I_gen (n, 3, S, S) and the target (n, S, S), as coarse as the finer codes, of real defects."""
        device = self.dsr.codec.device
        pictures, masks = self._real_defects(number, dice)
        latent = self.dsr.codec.encode(to_tensor(pictures).to(device))
        with self._half_precision():
            specific = self.dsr.restrict(latent.lo.codes, latent.hi.codes).picture.float()
        target = repeated(pooled(torch.from_numpy(np.stack(masks)).float().to(device), 4), 4)
        return specific, self.dsr.codec.decode(latent), target


class UpsamplingStage(_Frozen):
    """Stage 3: the outline, learnt on smudges that are known to the pixel. Everything else is frozen."""

    name = "upsampling"
    full_maps = True

    def learning(self) -> tuple[nn.Module, ...]:
        return (self.dsr.upsampling,)

    def losses(self, step: int, dice: Randomness) -> Mapping[str, Tensor]:
        pictures, target = self._smudged(step, dice.numpy)
        with torch.no_grad():
            detection = self.dsr.detect(pictures)
        with self._half_precision():
            logits = self.dsr.upsampling(detection.specific, detection.general, detection.probabilities)
        return _summed({"focal": focal_loss(logits, target)})

    def _smudged(self, step: int, dice: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) with smudges in three of four good parts and, where there are any, real defects; and their masks (B, S, S)."""
        good, real = self._shares(self.recipe.upsampling.batch)
        pictures, masks = [], []
        for picture in self._pictures(step, good, dice):
            mask = np.zeros(picture.shape[:2], np.uint8)
            if dice.random() < SMUDGED_SHARE:
                picture, mask = smudged(picture, self.parts[int(dice.integers(len(self.parts)))], dice)
            pictures.append(picture)
            masks.append(mask)
        if real:
            defective, outlines = self._real_defects(real, dice)
            pictures, masks = pictures + defective, masks + outlines
        device = self.dsr.codec.device
        return to_tensor(pictures).to(device), torch.from_numpy(np.stack(masks)).float().to(device)


def start_as_authors(dsr: DSR) -> None:
    """N(0, 0.02) for the detection module and the object decoder, as in the authors' code."""
    for module in chain(dsr.detection.modules(), dsr.object_decoder.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)


def _summed(losses: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"total": torch.stack(list(losses.values())).sum(), **losses}
