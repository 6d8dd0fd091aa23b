"""A network made fast on one device: what `Engine` leaves to it is small enough for others to be added.

Legend: B batch, S the network's side.
"""

from typing import Protocol

import torch
from torch import Tensor

from models.backends.batched import Batched
from models.backends.one_frame import OneFrame
from models.dsr import DSR, Detection


class Backend(Protocol):
    """Answers of one network. What it gives stays valid after the next call."""

    dsr: DSR
    """The network as it runs here."""
    frames_per_pass: int
    """The most frames that it takes at once."""

    def detect(self, pictures: Tensor) -> Detection:
        """(B, 3, S, S) floats in 0..1 -> both reconstructions and the coarse map. Each frame's is the one that it would get alone."""
        ...

    def upsample(self, detection: Detection) -> Tensor:
        """Full maps (B, S, S), 0..1, of what `detect` gave."""
        ...


def backend_for(dsr: DSR, device: torch.device, side: int, *, native: bool = True) -> Backend:
    """The fastest one that this device has. Takes the network over: its modules are changed in place."""
    return Batched(dsr.to(device), side) if device.type == "cuda" else OneFrame(dsr.to(device), native=native)
