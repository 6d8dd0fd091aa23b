"""Stages 2 and 3: what a good part looks like, where a part differs from that, and the outline of it (DSR, section 3.7).

Stage 2 has two steps here. The detection module sees both pictures detached, so the object-specific branch can learn alone first,
at a quarter of the cost; the paper trains both together from the beginning (`objects` of 0 steps).

Legend: B batch, S side.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.dsr import DSR
from models.dsr.dsr import Restricted
from models.preprocessing import Pixels, to_tensor
from training.data import rotated, turned
from training.losses import feature_loss, focal_loss
from training.randomness import Randomness, drawn_indices
from training.recipes import Recipe
from training.synthesis import Altered, altered_codes, random_masks, smudged

PICTURE_WEIGHT = 10.0
SMUDGED_SHARE = 0.75


class _Frozen:
    """What the stages after the codec share: a network of which only some modules learn, and good parts to learn from."""

    name: str

    def __init__(self, dsr: DSR, parts: Pixels, recipe: Recipe, *, seed: int) -> None:
        self.dsr = dsr
        self.parts = parts
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

    def state(self) -> dict[str, Tensor]:
        return self.dsr.state_dict()

    def restore(self, state: dict[str, Tensor]) -> None:
        self.dsr.load_state_dict(state)

    def _pictures(self, step: int, batch: int, dice: np.random.Generator) -> list[Pixels]:
        indices = drawn_indices(len(self.parts), batch, seed=self.seed, step=step)
        return [self._varied(self.parts[index], dice) for index in indices]

    def _varied(self, picture: Pixels, dice: np.random.Generator) -> Pixels:
        if self.recipe.flips:
            picture = turned(picture, dice)
        return rotated(picture, dice) if dice.random() < self.recipe.rotation else picture

    def _half_precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.dsr.codec.device.type, torch.bfloat16, enabled=self.recipe.bfloat16)


class ObjectStage(_Frozen):
    """The object-specific branch alone: restriction of both grids, and the object decoder."""

    name = "objects"

    def learning(self) -> tuple[nn.Module, ...]:
        return self.dsr.restriction_lo, self.dsr.restriction_hi, self.dsr.object_decoder

    def losses(self, step: int, dice: Randomness) -> Mapping[str, Tensor]:
        return _summed(self._restore_altered(step, self.recipe.objects.batch, dice)[2])

    def _restore_altered(self, step: int, batch: int, dice: Randomness) -> tuple[Altered, Restricted, dict[str, Tensor]]:
        """Good parts, some altered in code space, and how far from the good ones the branch brings them back."""
        device = self.dsr.codec.device
        pictures = to_tensor(self._pictures(step, batch, dice.numpy)).to(device)
        masks = random_masks(batch, self.recipe.side, dice.numpy, strokes=self.recipe.strokes).to(device)
        altered, q_lo, q_hi = altered_codes(self.dsr.codec, pictures, masks, dice)
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

    def losses(self, step: int, dice: Randomness) -> Mapping[str, Tensor]:
        altered, restricted, losses = self._restore_altered(step, self.recipe.detection.batch, dice)
        with torch.no_grad():
            general = self.dsr.codec.decoder(self.dsr.codec.join(altered.q_lo, altered.q_hi))
        with self._half_precision():
            logits = self.dsr.detection(restricted.picture.detach().float(), general)
        return _summed({"focal": focal_loss(logits, altered.target), **losses})


class UpsamplingStage(_Frozen):
    """Stage 3: the outline, learnt on smudges that are known to the pixel. Everything else is frozen."""

    name = "upsampling"

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
        """(B, 3, S, S) with smudges in three of four, and their masks (B, S, S)."""
        pictures, masks = [], []
        for picture in self._pictures(step, self.recipe.upsampling.batch, dice):
            mask = np.zeros(picture.shape[:2], np.uint8)
            if dice.random() < SMUDGED_SHARE:
                picture, mask = smudged(picture, self.parts[int(dice.integers(len(self.parts)))], dice)
            pictures.append(picture)
            masks.append(mask)
        device = self.dsr.codec.device
        return to_tensor(pictures).to(device), torch.from_numpy(np.stack(masks)).float().to(device)


def start_as_authors(dsr: DSR) -> None:
    """N(0, 0.02) for the detection module and the object decoder, as in the authors' code."""
    for module in chain(dsr.detection.modules(), dsr.object_decoder.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)


def _summed(losses: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"total": torch.stack(list(losses.values())).sum(), **losses}
