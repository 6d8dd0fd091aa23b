"""Every backend answers as the network it was given: over the same codes, in any batch, at whatever precision it says."""

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from models.backends import Backend, Batched, OneFrame, native
from models.choices import choices
from models.dsr import DSR, Detection, DSRConfig
from tests.networks import TINY

SIDE = 64
Make = Callable[[DSR], Backend]
BACKENDS: dict[str, Make] = {
    "plain": lambda dsr: OneFrame(dsr, native=False),
    "native": OneFrame,
    "batched": lambda dsr: Batched(dsr, SIDE, batches=(1, 4), half=False, compiled=False),
}


@pytest.fixture(scope="module")
def dsr() -> DSR:
    """Untrained, but with codes as diverse as a trained one has."""
    torch.manual_seed(0)
    dsr = DSR(DSRConfig.small()).eval()
    dice = torch.Generator().manual_seed(0)
    with torch.no_grad():
        fine, f_lo = dsr.codec.encoder(torch.rand(16, 3, SIDE, SIDE, generator=dice))
        dsr.codec.quantizer_lo.seed(f_lo, dice)
        dsr.codec.quantizer_hi.seed(dsr.codec.features_hi(fine, dsr.codec.quantizer_lo(f_lo).codes), dice)
    return dsr


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, dsr: DSR) -> Backend:
    if request.param == "native" and not native.available():
        pytest.skip("no C++ compiler")
    return BACKENDS[request.param](copy.deepcopy(dsr))


def pictures(count: int) -> Tensor:
    coarse = torch.rand(count, 3, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, size=SIDE, mode="bilinear")


def over(codes: list[Tensor], backend: Backend | DSR, batch: Tensor) -> tuple[Detection, Tensor]:
    dsr = backend if isinstance(backend, DSR) else backend.dsr
    with choices(dsr.codec, codes):
        detection = backend.detect(batch)
        return detection, backend.upsample(detection)


@torch.inference_mode()
def test_over_the_same_codes_maps_are_equal(backend: Backend, dsr: DSR) -> None:
    for picture in pictures(3).split(1):
        with choices(dsr.codec) as codes:
            expected = dsr.detect(picture)

        found, full = over(codes, backend, picture)

        assert (found.anomaly_map - expected.anomaly_map).abs().max() < 5e-4
        assert (full - dsr.upsample(expected)).abs().max() < 5e-3  # one that never learnt doubts everywhere, and eager PyTorch is 2e-4 from fp64, too


@torch.inference_mode()
def test_hardly_a_code_is_chosen_otherwise(backend: Backend, dsr: DSR) -> None:
    flipped = chosen = 0
    for picture in pictures(4).split(1):
        with choices(dsr.codec) as expected:
            dsr.codec.encode(picture)
        with choices(backend.dsr.codec) as found:
            backend.detect(picture)
        flipped += sum(int((ours != theirs).sum()) for ours, theirs in zip(found, expected, strict=False))
        chosen += sum(indices.numel() for indices in expected)

    assert flipped <= chosen / 1000


@torch.inference_mode()
def test_answers_stay_valid_after_the_next_call(backend: Backend) -> None:
    first, second = pictures(2).split(1)
    detection = backend.detect(first)
    full = backend.upsample(detection)
    kept = copy.deepcopy((detection.general, detection.probabilities, full))

    backend.upsample(backend.detect(second))

    assert all(torch.equal(now, then) for now, then in zip((detection.general, detection.probabilities, full), kept, strict=True))


@torch.inference_mode()
def test_a_batch_that_is_filled_up_answers_as_each_frame_alone(dsr: DSR) -> None:
    filled = Batched(copy.deepcopy(dsr), SIDE, batches=(4,), half=False, compiled=False)
    batch = pictures(3)

    detection = filled.detect(batch)
    full = filled.upsample(detection)

    assert full.shape == (3, SIDE, SIDE)
    for at in range(3):
        alone = filled.detect(batch[at : at + 1])
        assert torch.equal(alone.probabilities, detection.probabilities[at : at + 1])
        assert torch.equal(filled.upsample(alone), full[at : at + 1])


@torch.inference_mode()
def test_half_precision_chooses_the_same_codes(dsr: DSR) -> None:
    exact, half = (Batched(copy.deepcopy(dsr), SIDE, batches=(2,), half=half, compiled=False) for half in (False, True))
    with choices(exact.dsr.codec) as expected:
        detection = exact.detect(pictures(2))
    with choices(half.dsr.codec) as found:
        other = half.detect(pictures(2))

    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))
    assert 0 < (other.anomaly_map - detection.anomaly_map).abs().mean() < 0.05  # test_traps has a trained one's scores and masks
    assert other.probabilities.dtype is torch.float32


@torch.inference_mode()
def test_the_captured_graph_answers_as_what_it_was_captured_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Capture is what a compiler may trip over; the code that Inductor makes of it takes minutes to build, and is held to the same by hand."""
    torch.manual_seed(0)
    dsr, batch = DSR(TINY), pictures(2)
    plain = Batched(copy.deepcopy(dsr), SIDE, batches=(2,), half=False, compiled=False)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True))
    monkeypatch.setattr(Batched, "_made_fast", lambda _, function: torch.compile(function, dynamic=False))

    captured = Batched(dsr, SIDE, batches=(2,), half=False)

    found, expected = (backend.upsample(backend.detect(batch)) for backend in (captured, plain))
    assert (found - expected).abs().mean() < 1e-4
