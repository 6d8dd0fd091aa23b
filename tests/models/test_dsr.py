"""The network: shapes, sizes, equal answers however frames are batched, and what the codebook may do."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import models.dsr
from models.dsr import DSR, Codec, DSRConfig
from models.dsr.quantizer import Quantizer, straight_through
from models.scoring import anomaly_score
from tests.networks import TINY


@pytest.fixture
def dsr() -> DSR:
    torch.manual_seed(0)
    return DSR(TINY).eval()


def test_every_part_has_the_size_of_the_paper() -> None:
    with torch.device("meta"):
        paper = DSR(DSRConfig.paper())
    millions = {name: round(sum(weight.numel() for weight in part.parameters()) / 1e6, 1) for name, part in paper.named_children()}

    assert millions == {"codec": 1.9, "restriction_lo": 7.8, "restriction_hi": 7.8, "object_decoder": 9.4, "detection": 5.6, "upsampling": 5.6}
    assert paper.codec.quantizer_hi.codebook.shape == (4096, 128)


def test_grids_are_a_quarter_and_an_eighth(dsr: DSR) -> None:
    latent = dsr.codec.encode(torch.rand(2, 3, 64, 96))

    assert latent.hi.codes.shape == (2, 8, 16, 24)
    assert latent.lo.codes.shape == (2, 8, 8, 12)
    assert dsr.codec.decode(latent).shape == (2, 3, 64, 96)


def test_the_small_preset_departs_only_where_it_says() -> None:
    small, paper = DSRConfig.small(), DSRConfig.paper()

    assert (paper.object_decoder, paper.restriction_poolings) == ("paper", 2)
    assert (small.object_decoder, small.restriction_poolings) == ("general", 1)
    assert DSRConfig.from_dict(small.to_dict()) == small


@torch.inference_mode()
def test_the_papers_form_runs_at_any_size() -> None:
    paper_form = DSR(replace(TINY, object_decoder="paper", restriction_poolings=2)).eval()

    assert paper_form(torch.rand(2, 3, 64, 64)).shape == (2, 64, 64)


def test_a_config_names_its_unknown_key() -> None:
    with pytest.raises(ValueError, match=r"missing \['codes'\], unknown \['coeds'\]"):
        DSRConfig.from_dict({("coeds" if name == "codes" else name): size for name, size in TINY.to_dict().items()})


@torch.inference_mode()
def test_a_batch_says_what_its_frames_say_alone(dsr: DSR) -> None:
    pictures = torch.rand(5, 3, 64, 64)

    together, alone = dsr(pictures), torch.cat([dsr(picture[None]) for picture in pictures])

    assert together.shape == (5, 64, 64)
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)
    torch.testing.assert_close(anomaly_score(together, 5), anomaly_score(alone, 5), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_upsampling_a_selection_equals_upsampling_all(dsr: DSR) -> None:
    detection = dsr.detect(torch.rand(4, 3, 64, 64))

    torch.testing.assert_close(dsr.upsample(detection.select([2, 0])), dsr.upsample(detection)[[2, 0]], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_maps_are_probabilities(dsr: DSR) -> None:
    detection = dsr.detect(torch.rand(2, 3, 64, 64))

    torch.testing.assert_close(detection.probabilities.sum(dim=1), torch.ones(2, 64, 64))
    torch.testing.assert_close(detection.anomaly_map, detection.probabilities[:, 1])


def test_a_side_that_does_not_divide_is_refused(dsr: DSR) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        dsr.detect(torch.rand(1, 3, 60, 64))


def test_the_object_decoder_starts_as_the_general_one(dsr: DSR) -> None:
    dsr.start_object_decoder()

    codes = torch.rand(1, 16, 8, 8)
    assert torch.equal(dsr.object_decoder(codes), dsr.codec.decoder(codes))


def test_the_nearest_code_by_hand() -> None:
    quantizer = Quantizer(codes=3, code_size=2)
    quantizer.codebook.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]]))

    quantized = quantizer(torch.tensor([0.9, 0.2]).view(1, 2, 1, 1))

    assert quantized.indices.item() == 1
    assert quantized.codes.flatten().tolist() == [1.0, 0.0]


def test_lookup_by_index_equals_a_one_hot_product() -> None:
    quantizer = Quantizer(codes=16, code_size=4)
    indices = torch.randint(16, (2, 3, 5))

    product = torch.nn.functional.one_hot(indices, 16).float() @ quantizer.codebook

    assert torch.equal(quantizer.lookup(indices), product.permute(0, 3, 1, 2))


def test_half_precision_around_it_does_not_change_the_codes() -> None:
    torch.manual_seed(0)
    quantizer, features = Quantizer(codes=512, code_size=32), torch.randn(2, 32, 16, 16)

    with torch.autocast("cpu", torch.bfloat16):
        inside = quantizer.nearest(features)

    assert torch.equal(inside, quantizer.nearest(features))


def test_codes_move_towards_what_chose_them() -> None:
    quantizer = Quantizer(codes=2, code_size=1, decay=0.5)
    quantizer.codebook.copy_(torch.tensor([[0.0], [10.0]]))
    quantizer.trust_codebook(1.0)
    features = torch.tensor([1.0, 1.0, 12.0]).view(1, 1, 1, 3)

    quantizer.learn(features, quantizer.nearest(features))

    # code 0: counts (1 + 2) / 2, sums (0 + 2) / 2; code 1: counts (1 + 1) / 2, sums (10 + 12) / 2
    torch.testing.assert_close(quantizer.codebook, torch.tensor([[1 / 1.5], [11.0]]), atol=1e-3, rtol=0)


def test_codes_that_nobody_chooses_are_revived() -> None:
    quantizer = Quantizer(codes=4, code_size=2)
    quantizer.counts.copy_(torch.tensor([100.0, 100.0, 100.0, 0.1]))
    features = torch.full((1, 2, 4, 4), 7.0)

    revived = quantizer.revive(features, torch.Generator().manual_seed(0))

    assert revived == 1
    assert quantizer.codebook[3].tolist() == [7.0, 7.0]


def test_the_encoder_learns_through_the_choice_of_codes() -> None:
    features = torch.randn(1, 4, 2, 2, requires_grad=True)
    codes = Quantizer(codes=8, code_size=4)(features).codes

    straight_through(features, codes).sum().backward()

    assert features.grad is not None
    assert torch.equal(features.grad, torch.ones_like(features))


def test_the_codebook_takes_no_gradient() -> None:
    assert not [name for name, _ in Codec(TINY).named_parameters() if "codebook" in name]


def test_no_module_names_a_device() -> None:
    """The device comes from the input; a network that moves things itself cannot be placed by whoever serves it."""
    sources = {path.name: path.read_text() for path in Path(models.dsr.__file__).parent.glob("*.py")}

    assert [name for name, source in sources.items() if "cuda" in source or ".to(" in source] == ["quantizer.py"]
    assert sources["quantizer.py"].count(".to(") == 2  # counts to their own type, the CPU's dice to the features
