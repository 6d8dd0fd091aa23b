"""One process or several that train one network: what they share after each step.

A batch is cut into equal shares, each worker draws its own; gradients are averaged, codebooks are moved by all their features.
Alone, every one of these does nothing.
"""

from collections.abc import Iterable
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Team(Protocol):
    """`rank` of `size` workers."""

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Every worker steps along the mean of all gradients."""

    def sum(self, values: Tensor) -> Tensor:
        """Over all workers."""

    def first(self, values: Tensor) -> Tensor:
        """What the first worker has, for all of them."""


class Alone:
    """A team of one."""

    rank = 0
    size = 1

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        pass

    def sum(self, values: Tensor) -> Tensor:
        return values

    def first(self, values: Tensor) -> Tensor:
        return values


class ProcessGroup:
    """The workers of torch's default process group, which whoever starts them has set up."""

    @property
    def rank(self) -> int:
        return dist.get_rank()

    @property
    def size(self) -> int:
        return dist.get_world_size()

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if not gradients:
            return
        joined = torch.cat([gradient.reshape(-1) for gradient in gradients])  # one message instead of a hundred
        dist.all_reduce(joined)
        joined /= self.size
        start = 0
        for gradient in gradients:
            gradient.copy_(joined[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def sum(self, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    def first(self, values: Tensor) -> Tensor:
        shared = values.clone()
        dist.broadcast(shared, src=0)
        return shared


ALONE = Alone()
