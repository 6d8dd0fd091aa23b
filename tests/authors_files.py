"""A network of ours -> files as the authors' code writes them."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from models.authors import CODEC, FILES, their_name
from models.dsr import DSR
from tests.networks import TINY

AUTHORS_FORM = replace(TINY, residual_blocks=2, restriction_poolings=2, object_decoder="paper")
"""The authors' network, at the tests' small size."""


def write_authors_files(dsr: DSR, folder: Path, item: str = "screw") -> None:
    for part in (CODEC, *FILES):
        torch.save(their_tensors(dsr, part), folder / file_of(part, item))


def their_tensors(dsr: DSR, part: str) -> dict[str, Tensor]:
    tensors = {their_name(part, name): values.clone() for name, values in dsr.get_submodule(part).state_dict().items()}
    if part == CODEC:
        for grid, quantizer in (("top", dsr.codec.quantizer_lo), ("bot", dsr.codec.quantizer_hi)):
            tensors |= {f"_vq_vae_{grid}._ema_w": quantizer.codebook.clone(), f"_vq_vae_{grid}._ema_cluster_size": quantizer.counts.clone()}
    return tensors


def file_of(part: str, item: str = "screw") -> str:
    return "vq_model_pretrained_128_4096.pckl" if part == CODEC else f"DSR_{FILES[part]}_{item}.pckl"
