"""The twelve traps that public implementations of DSR fell into, and the tests that hold Loupe out of each; those without a home are here.

 1. A focal loss whose class weight zeroes the normal class, so that "everything is a defect" is best:
    training/test_losses::test_calling_everything_a_defect_costs_as_much_as_missing_it, training/test_losses::test_background_logits_get_a_gradient
 2. Softmax taken twice before the loss:
    training/test_losses::test_being_sure_and_right_costs_nothing, models/test_traps::test_the_heads_give_logits
 3. A learning rate whose schedule is never stepped, or is stepped by epochs:
    training/test_loop::test_the_loop_uses_the_rate_of_each_step, training/test_loop::test_the_papers_rate_falls_to_a_tenth_at_four_fifths
 4. An upsampling module that is served before it learnt:
    models/test_checkpoint::test_full_maps_without_stage_3_are_refused, models/test_engine::test_without_stage_3_the_coarse_map_is_served_and_said
 5. Range or colour order that differ between training and serving:
    training/test_data::test_parts_are_what_serving_sees, models/test_preprocessing::test_the_blue_channel_comes_first_and_values_lie_in_0_to_1,
    models/test_preprocessing::test_values_outside_0_to_1_do_not_reach_the_network
 6. One-hot matrices for the lookup:
    models/test_dsr::test_lookup_by_index_equals_a_one_hot_product
 7. Codes searched for in half precision:
    models/test_dsr::test_half_precision_around_it_does_not_change_the_codes
 8. Masks that come out empty, and scratches that a coarse grid loses:
    training/test_synthesis::test_no_training_mask_is_empty, training/test_synthesis::test_a_scratch_of_one_pixel_survives_the_coarse_grid,
    training/test_defects::test_a_thin_scratch_survives_the_networks_resolution
 9. A batch of one that loses its axis, and one bad picture that fails a batch:
    models/test_engine::test_a_batch_of_one_keeps_its_axis, models/test_scoring::test_a_batch_of_one_keeps_its_axis,
    inspection/test_inspector::test_what_cannot_be_decoded_or_is_too_large_is_a_fault_of_its_own
10. A network that places itself on a device, and weights that are downloaded to serve:
    models/test_dsr::test_no_module_names_a_device, models/test_traps::test_serving_needs_no_network
11. Answers that depend on the batch, on a compiler or on the precision:
    models/test_engine::test_a_batch_of_n_equals_n_batches_of_one, models/test_dsr::test_a_batch_says_what_its_frames_say_alone,
    models/test_export::test_another_runtime_gives_the_same_answers_for_any_batch, models/test_traps::test_half_precision_keeps_scores_and_masks,
    models/backends/test_backends::test_over_the_same_codes_maps_are_equal, models/backends/test_backends::test_hardly_a_code_is_chosen_otherwise,
    models/backends/test_backends::test_the_captured_graph_answers_as_what_it_was_captured_from
12. Score and map come from different heads, so a defective frame may have an empty mask:
    inspection/test_inspector::test_a_defective_frame_with_an_empty_map_is_flagged_all_the_same,
    inspection/test_inspector::test_a_map_does_not_flag_what_its_score_passes
"""

import ast
import re
import socket
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.backends import Batched
from models.checkpoint import load, read_version
from models.dsr import DSR, Detection
from models.engine import Engine
from models.preprocessing import to_tensor
from models.registry import shipped
from models.scoring import anomaly_score
from tests.networks import TINY

TESTS = Path(__file__).parents[1]
DEMO = shipped("demo")


def golden_pictures() -> Tensor:
    preprocessing = read_version(DEMO).preprocessing
    return to_tensor([preprocessing.decode(path.read_bytes()) for path in sorted((DEMO / "golden").glob("*.png"))])


def test_every_trap_has_its_tests() -> None:
    traps = re.split(r"^ ?(\d+)\. ", str(__doc__), flags=re.MULTILINE)[1:]
    named = {int(number): re.findall(r"((?:\w+/)+test_\w+)::(test_\w+)", text) for number, text in zip(traps[::2], traps[1::2], strict=True)}

    assert list(named) == list(range(1, 13))
    assert all(named.values())
    assert [f"{file}::{name}" for tests in named.values() for file, name in tests if name not in names_in(TESTS / f"{file}.py")] == []


def names_in(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@torch.inference_mode()
def test_the_heads_give_logits() -> None:
    """Probabilities would lie in 0..1 and sum to 1; the loss takes the only softmax."""
    torch.manual_seed(0)
    dsr, pictures = DSR(TINY).eval(), torch.rand(2, 3, 64, 64)

    for logits in (dsr.detection(pictures, pictures), dsr.upsampling(pictures, pictures, pictures[:, :2])):
        assert logits.min() < 0
        assert not torch.allclose(logits.sum(dim=1), torch.ones(2, 64, 64), atol=0.1)


def test_serving_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*address: object) -> None:
        pytest.fail(f"connected to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    engine = Engine.load(DEMO, device="cpu")

    assert engine.score(golden_pictures()[:1]).scores.shape == (1,)


@torch.inference_mode()
def test_half_precision_keeps_scores_and_masks() -> None:
    """What learns after the codec in bfloat16: scores within 0.02, and masks that agree in nine of ten pixels where there is a mask to speak of."""
    dsr, pictures = load(DEMO), golden_pictures()
    filter_side = read_version(DEMO).filter_side
    exact = dsr.detect(pictures)
    mask = dsr.upsample(exact) > 0.5

    half, half_map = answered_in_half_precision(dsr, pictures)

    difference = anomaly_score(exact.anomaly_map, filter_side) - anomaly_score(half.anomaly_map, filter_side)
    assert difference.abs().max() < 0.02
    large = mask.sum(dim=(1, 2)) >= 100  # pixels
    assert large.sum() >= 3
    assert overlap(mask[large], half_map[large] > 0.5).min() > 0.9


def answered_in_half_precision(dsr: DSR, pictures: Tensor) -> tuple[Detection, Tensor]:
    """As a GPU would, without the compiler."""
    half = Batched(dsr, pictures.shape[-1], compiled=False)
    detection = half.detect(pictures)
    return detection, half.upsample(detection)


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union (B,) of masks (B, S, S)."""
    return (one & other).sum(dim=(1, 2)) / (one | other).sum(dim=(1, 2))
