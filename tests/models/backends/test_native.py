"""Loops of our own answer as PyTorch's do, whatever instructions they are compiled for."""

import ctypes
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.backends import native
from models.backends.native import kernels

COMPILER = next((found for name in ("c++", "g++", "clang++") if (found := shutil.which(name))), None)
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
BY_CAPABILITY = {"AVX512": ["AVX512", "AVX2", "none"], "AVX2": ["AVX2", "none"]}


@pytest.fixture(scope="module", params=["AVX512", "AVX2", "none"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The kernels as other processors would have them, too."""
    if request.param not in BY_CAPABILITY.get(torch.backends.cpu.get_cpu_capability(), ["none"]):
        pytest.skip(f"this processor has no {request.param}")
    path = kernels.compile_for(kernels.INSTRUCTIONS.get(request.param, ()), tmp_path_factory.mktemp(request.param))
    return kernels.declared(ctypes.CDLL(str(path)))


@pytest.fixture
def compiled(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "library", lambda: library)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def channels_last(features: Tensor) -> Tensor:
    return features.contiguous(memory_format=torch.channels_last)


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("channels_in", "channels_out", "height", "width"), [(32, 64, 8, 20), (64, 32, 16, 4), (96, 32, 36, 12), (512, 32, 4, 4)])
def test_a_convolution_is_the_plain_sum(channels_in: int, channels_out: int, height: int, width: int) -> None:
    features, weights, bias = random(1, channels_in, height, width), random(channels_out, channels_in, 3, 3, seed=1), random(channels_out, seed=2)
    exact = F.conv2d(features.double(), weights.double(), bias.double(), padding=1)

    found = kernels.convolve(channels_last(features), kernels.packed(weights), bias, channels_out)
    activated = kernels.convolve(features, kernels.packed(weights), bias, channels_out, relu=True)

    assert found.shape == exact.shape
    assert (found - exact).std() < 3e-6 * exact.std()  # the more channels, the more roundings add up
    assert torch.equal(activated, found.relu())


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_norms_are_exact_even_where_the_mean_is_far_from_zero(offset: float) -> None:
    features, weights = random(1, 32, 24, 40) + offset, random(32, 32, 3, 3, seed=1)
    exact = F.instance_norm(F.conv2d(features.double(), weights.double(), padding=1)).relu()
    plain = F.instance_norm(F.conv2d(features, weights, padding=1)).relu()

    found = kernels.convolve(features, kernels.packed(weights), None, 32, epsilon=1e-5)
    alone = kernels.normalise(channels_last(F.conv2d(features, weights, padding=1)), 1e-5)

    for ours in (found, alone):
        assert (ours - exact).square().mean() < 25 * (plain - exact).square().mean()


@needs_compiler
@pytest.mark.usefixtures("compiled")
def test_a_channel_without_variance_stays_finite() -> None:
    found = kernels.normalise(channels_last(torch.full((1, 32, 8, 8), 3.0)), 1e-5)

    assert torch.equal(found, torch.zeros(1, 32, 8, 8))


@needs_compiler
@pytest.mark.usefixtures("compiled")
def test_the_nearest_code_is_found_and_the_first_of_equals_wins() -> None:
    codebook, features = random(256, 24), random(16 * 13, 24, seed=1)
    codebook[200] = codebook[40]  # equals in different panels,
    codebook[43] = codebook[40]  # and in one
    features[5] = codebook[40]

    found = kernels.nearest(features, *kernels.panelled(codebook))

    exact = torch.cdist(features.double(), codebook.double()).argmin(dim=1)
    assert torch.equal(found, exact)
    assert found[5] == 40


@needs_compiler
def test_the_answer_does_not_depend_on_the_number_of_threads() -> None:
    features, weights = random(1, 32, 64, 64), kernels.packed(random(32, 32, 3, 3, seed=1))
    before, answers = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            answers.append(kernels.convolve(features, weights, None, 32, epsilon=1e-5))
    finally:
        torch.set_num_threads(before)

    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])


PINNED = """
import json, os, sys, threading
from pathlib import Path
import torch
from models.backends import native

def infer():
    torch.set_num_threads(int(sys.argv[1]))
    native.pin_threads()
    kept.extend(sorted(os.sched_getaffinity(int(task.name))) for task in Path("/proc/self/task").iterdir())

kept = []
caller = threading.Thread(target=infer)
caller.start()
caller.join()
print(json.dumps(kept))
"""


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets threads choose")
def test_threads_that_take_all_processors_keep_one_each_and_any_other_number_stays_free() -> None:
    processors = sorted(os.sched_getaffinity(0))

    for threads in (len(processors), len(processors) + 1):
        done = subprocess.run([sys.executable, "-c", PINNED, str(threads)], capture_output=True, text=True, check=True)

        kept = json.loads(done.stdout)
        pinned = sorted(one[0] for one in kept if one != processors)
        assert pinned == (processors if threads == len(processors) > 1 else [])


@needs_compiler
def test_it_is_compiled_once(tmp_path: Path) -> None:
    first = kernels.compile_for((), tmp_path)
    made_at = first.stat().st_mtime_ns

    assert kernels.compile_for((), tmp_path).stat().st_mtime_ns == made_at
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


@needs_compiler
def test_what_the_compiler_says_is_passed_on_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(kernels.NativeError, match=r"could not compile kernels\.cpp: .*-mno-such"):
        kernels.compile_for(("-mno-such",), tmp_path)

    assert not list(tmp_path.iterdir())


@needs_compiler
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(kernels.NativeError, match="taken"):
        kernels.compile_for((), tmp_path / "taken")


def test_without_a_compiler_the_log_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for cached in (kernels.available, kernels.library):
        cached.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert [native.available(), native.available()] == [False, False]
    finally:
        for cached in (kernels.available, kernels.library):
            cached.cache_clear()

    assert caplog.text.count("install one, for example the package g++") == 1
