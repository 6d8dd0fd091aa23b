"""Seed, stage and step -> the random numbers of that step.

Nothing is carried from step to step, so a run that is resumed at any step draws what it would have drawn.
"""

import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class Randomness:
    """One step's dice: numpy for pictures, torch for tensors."""

    numpy: np.random.Generator
    torch: torch.Generator

    @classmethod
    def of(cls, seed: int, purpose: str, step: int) -> Self:
        numbers = np.random.default_rng([seed, zlib.crc32(purpose.encode()), step])
        return cls(numbers, torch.Generator().manual_seed(int(numbers.integers(2**62))))


def drawn_indices(count: int, batch: int, *, seed: int, step: int) -> list[int]:
    """Which of `count` pictures make up a step's batch: every epoch is another shuffle, and each picture comes once in it."""
    if count < 1:
        raise ValueError("pictures: expected at least one, got none")
    order: dict[int, np.ndarray] = {}
    indices = []
    for position in range(step * batch, (step + 1) * batch):
        epoch, place = divmod(position, count)
        if epoch not in order:
            order[epoch] = np.random.default_rng([seed, epoch]).permutation(count)
        indices.append(int(order[epoch][place]))
    return indices
