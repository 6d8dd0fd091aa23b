"""Loops of our own for one frame on a CPU, compiled where they run: Winograd's convolution and the search for the nearest code.

PyTorch's convolution already runs at the processor's limit for the plain sum, so only one that multiplies less can be faster.
Without a C++ compiler nothing is lost but speed: `available` says why in one line of the log, and PyTorch does the work.
"""

from models.backends.native.kernels import available, pin_threads
from models.backends.native.modules import make_native

__all__ = ["available", "make_native", "pin_threads"]
