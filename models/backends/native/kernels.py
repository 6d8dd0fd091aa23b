"""kernels.cpp -> functions on tensors. Compiled once a machine, in about a second, and kept in the user's cache folder.

Legend: C channels in, O channels out, H W rows and columns, K codes, D code size, N features.
"""

import ctypes
import hashlib
import logging
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

import torch
from torch import Tensor

log = logging.getLogger(__name__)

SOURCE = Path(__file__).with_name("kernels.cpp")
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared", "-fopenmp")
INSTRUCTIONS = {
    "AVX512": ("-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mfma"),
    "AVX2": ("-mavx2", "-mfma"),
}
"""By what torch finds on this processor; others take what the compiler's default gives."""


class NativeError(RuntimeError):
    """The loops cannot be compiled or loaded here."""


@cache
def available() -> bool:
    """Whether this machine can run them; if not, the log says why, once."""
    try:
        library()
    except NativeError as reason:
        log.warning("no native loops, inference will be about half as fast: %s", reason)
        return False
    return True


@cache
def library() -> ctypes.CDLL:
    """Compiles what is not compiled yet. NativeError without a compiler, or where it fails."""
    capability = torch.backends.cpu.get_cpu_capability()
    compiled = compile_for(INSTRUCTIONS.get(capability, ()), cache_folder())
    try:
        # torch has loaded its OpenMP under the same name: both share one pool of threads, and `torch.set_num_threads` counts for both.
        loaded = ctypes.CDLL(str(compiled))
    except OSError as error:
        raise NativeError(f"{compiled}: expected a library for this machine, {error}; delete it to have it compiled again") from error
    return declared(loaded)


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loupe"


def compile_for(instructions: tuple[str, ...], folder: Path) -> Path:
    """The library for these instructions, from `folder` or newly compiled there; whole or not at all, so that replicas may start at once."""
    compiler = next((found for name in ("c++", "g++", "clang++") if (found := shutil.which(name))), None)
    command = [*FLAGS, *instructions]
    compiled = folder / f"kernels-{hashlib.sha256(SOURCE.read_bytes() + ' '.join(command).encode()).hexdigest()[:16]}.so"
    if compiled.exists():
        return compiled
    if compiler is None:
        raise NativeError("expected a C++ compiler in PATH (c++, g++ or clang++), found none; install one, for example the package g++")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, suffix=".partial") as partial:
            subprocess.run([compiler, *command, str(SOURCE), "-o", partial.name], check=True, capture_output=True, text=True, timeout=120)
            with suppress(FileExistsError):  # another process was first
                os.link(partial.name, compiled)
    except subprocess.CalledProcessError as error:
        raise NativeError(f"{compiler} could not compile {SOURCE.name}: {error.stderr.strip()[-500:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NativeError(f"{folder}: expected to compile {SOURCE.name} into it, {error}") from error
    return compiled


def declared(loaded: ctypes.CDLL) -> ctypes.CDLL:
    """Argument types, so that a wrong call is a TypeError."""
    pointer, long, number = ctypes.c_void_p, ctypes.c_long, ctypes.c_float
    loaded.loupe_panel.argtypes, loaded.loupe_panel.restype = [], long
    loaded.loupe_pin.argtypes, loaded.loupe_pin.restype = [pointer, ctypes.c_int], None
    loaded.loupe_pack.argtypes, loaded.loupe_pack.restype = [pointer, long, long, pointer], None
    loaded.loupe_convolve.argtypes = [pointer, long, long, long, pointer, pointer, long, ctypes.c_int, number, pointer, ctypes.c_int]
    loaded.loupe_convolve.restype = None
    loaded.loupe_normalise.argtypes, loaded.loupe_normalise.restype = [pointer, long, long, number, ctypes.c_int], None
    loaded.loupe_nearest.argtypes, loaded.loupe_nearest.restype = [pointer, long, long, pointer, pointer, long, pointer, ctypes.c_int], None
    return loaded


def panel() -> int:
    """Output channels and codes must divide by this, input channels by half of it."""
    return int(library().loupe_panel())


def pin_threads() -> None:
    """Where the calling thread's workers are as many as the processors, each of them keeps one from now on.

    Between two loops they wait for each other, so that both on one processor are slower than one alone, and Linux leaves them there for
    hundreds of milliseconds while the other one has a training of idle priority.
    """
    processors = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    if len(processors) == torch.get_num_threads():
        library().loupe_pin((ctypes.c_int * len(processors))(*processors), len(processors))


def packed(weights: Tensor) -> Tensor:
    """Weights of a 3x3 convolution (O, C, 3, 3) -> what `convolve` takes: (O, C, 36) numbers in its own order."""
    weights = weights.detach().contiguous().float()
    channels_out, channels_in = weights.shape[:2]
    out = torch.empty(channels_out * channels_in * 36)
    library().loupe_pack(weights.data_ptr(), channels_in, channels_out, out.data_ptr())
    return out


def convolve(features: Tensor, weights: Tensor, bias: Tensor | None, channels_out: int, *, relu: bool = False, epsilon: float | None = None) -> Tensor:
    """(1, C, H, W) -> (1, O, H, W), both channels last: 3x3, stride 1, zeros beyond the border; H and W multiples of 4.

    `relu` after it, or with `epsilon` instance norm and ReLU.
    """
    assert len(features) == 1, "more than one frame would be normalised together"
    features = features.contiguous(memory_format=torch.channels_last)
    _, channels_in, height, width = features.shape
    out = torch.empty((1, channels_out, height, width), memory_format=torch.channels_last)
    library().loupe_convolve(
        features.data_ptr(), height, width, channels_in, weights.data_ptr(), None if bias is None else bias.data_ptr(),
        channels_out, int(relu), -1.0 if epsilon is None else epsilon, out.data_ptr(), torch.get_num_threads(),
    )  # fmt: skip
    return out


def normalise(features: Tensor, epsilon: float) -> Tensor:
    """Instance norm and ReLU of (1, C, H, W), in place where they lie channels last."""
    assert len(features) == 1, "more than one frame would be normalised together"
    features = features.contiguous(memory_format=torch.channels_last)
    _, channels, height, width = features.shape
    library().loupe_normalise(features.data_ptr(), height * width, channels, epsilon, torch.get_num_threads())
    return features


def nearest(features: Tensor, panels: Tensor, offsets: Tensor) -> Tensor:
    """Features (N, D), N a multiple of 8 -> indices (N,) of the nearest codes. `panels` and `offsets` of `panelled`."""
    features = features.contiguous()
    indices = torch.empty(len(features), dtype=torch.int64)
    library().loupe_nearest(
        features.data_ptr(), *features.shape, panels.data_ptr(), offsets.data_ptr(), len(offsets), indices.data_ptr(), torch.get_num_threads()
    )
    return indices


def panelled(codebook: Tensor) -> tuple[Tensor, Tensor]:
    """Codebook (K, D) -> the order that `nearest` reads it in, and -|e|^2 / 2 (K,)."""
    width = panel()
    columns = codebook.view(-1, width, codebook.shape[1]).transpose(1, 2).contiguous()
    return columns, (-0.5 * codebook.double().square().sum(dim=1)).float()
