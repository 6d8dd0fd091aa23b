"""The part learnt in stage 1 and frozen after: encoder, two quantizers and the general decoder (DSR, sections 3.1 and 3.2).

Legend: B batch, H W pixels, D code size, hi the finer grid (H/4, W/4), lo the coarser one (H/8, W/8).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.dsr.blocks import doubling
from models.dsr.config import DSRConfig
from models.dsr.encoder import Encoder
from models.dsr.general_decoder import GeneralDecoder
from models.dsr.quantizer import Quantized, Quantizer


@dataclass(frozen=True, slots=True)
class Latent:
    """A picture in code space: features before quantization, and the codes nearest to them."""

    fine: Tensor  # (B, width, H/4, W/4), what F_hi is made of
    f_lo: Tensor  # (B, D, H/8, W/8)
    f_hi: Tensor  # (B, D, H/4, W/4)
    lo: Quantized
    hi: Quantized


class Codec(nn.Module):
    """Pictures to codes and back."""

    def __init__(self, config: DSRConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.quantizer_lo = Quantizer(config.codes, config.code_size)
        self.quantizer_hi = Quantizer(config.codes, config.code_size)
        self.upscale_lo = doubling(config.code_size, config.code_size)
        self.decoder = GeneralDecoder(config)

    @property
    def device(self) -> torch.device:
        return self.quantizer_hi.codebook.device

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> I_gen (B, 3, H, W)."""
        return self.decode(self.encode(pictures))

    def encode(self, pictures: Tensor) -> Latent:
        fine, f_lo = self.encoder(pictures)
        lo = self.quantizer_lo(f_lo)
        f_hi = self.features_hi(fine, lo.codes)
        return Latent(fine, f_lo, f_hi, lo, self.quantizer_hi(f_hi))

    def features_hi(self, fine: Tensor, q_lo: Tensor) -> Tensor:
        """F_hi for given coarse codes: stage 2 asks again after it has altered them."""
        return self.encoder.to_code_space_hi(fine, self.upscale_lo(q_lo))

    def decode(self, latent: Latent) -> Tensor:
        picture: Tensor = self.decoder(self.join(latent.lo.codes, latent.hi.codes))
        return picture

    def join(self, q_lo: Tensor, q_hi: Tensor) -> Tensor:
        """Codes of both grids on the finer one: (B, 2D, H/4, W/4)."""
        return torch.cat([self.upscale_lo(q_lo), q_hi], dim=1)
