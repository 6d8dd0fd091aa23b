"""Pictures -> two reconstructions -> a coarse anomaly map, and on demand a fine one: all modules of the paper, composed.

A pixel's anomaly probability comes from one of two heads: `detect` is enough for the score, `upsample` refines the map of
the few frames that somebody looks at.

Legend: B batch, H W pixels (multiples of 32), D code size.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from models.dsr.codec import Codec
from models.dsr.config import DSRConfig
from models.dsr.detection import AnomalyDetection
from models.dsr.object_decoder import build_object_decoder
from models.dsr.quantizer import straight_through
from models.dsr.subspace_restriction import SubspaceRestriction
from models.dsr.upsampling import Upsampling

SIDE_STEP = 32


@dataclass(frozen=True, slots=True)
class Detection:
    """What stage 1 and 2 say of a batch; enough to score it, and to upsample any of it later."""

    general: Tensor  # I_gen (B, 3, H, W), the part as it is
    specific: Tensor  # I_spc (B, 3, H, W), the part as it should be
    probabilities: Tensor  # (B, 2, H, W), normal and anomalous, sum 1

    @property
    def anomaly_map(self) -> Tensor:
        """(B, H, W), 0..1."""
        return self.probabilities[:, 1]

    def select(self, indices: Tensor | list[int]) -> "Detection":
        """The same for some frames of the batch."""
        return Detection(self.general[indices], self.specific[indices], self.probabilities[indices])


@dataclass(frozen=True, slots=True)
class Restricted:
    """The object-specific branch: features on both grids before quantization, and the picture they decode to."""

    f_lo: Tensor  # F~_lo (B, D, H/8, W/8)
    f_hi: Tensor  # F~_hi (B, D, H/4, W/4)
    picture: Tensor  # I_spc (B, 3, H, W)


class DSR(nn.Module):
    """Dual subspace re-projection: what a part looks like, against what such a part may look like."""

    def __init__(self, config: DSRConfig) -> None:
        super().__init__()
        self.config = config
        self.codec = Codec(config)
        self.restriction_lo = SubspaceRestriction(config.code_size, config.restriction_width, config.restriction_poolings)
        self.restriction_hi = SubspaceRestriction(config.code_size, config.restriction_width, config.restriction_poolings)
        self.object_decoder = build_object_decoder(config)
        self.detection = AnomalyDetection(config.unet_width)
        self.upsampling = Upsampling(config.unet_width)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> the fine anomaly map (B, H, W), 0..1."""
        return self.upsample(self.detect(pictures))

    def detect(self, pictures: Tensor) -> Detection:
        """(B, 3, H, W) in 0..1, BGR -> both reconstructions and the coarse map. ValueError for a side that does not divide by 32."""
        _check_sides(pictures)
        latent = self.codec.encode(pictures)
        general = self.codec.decode(latent)
        specific = self.restrict(latent.lo.codes, latent.hi.codes).picture
        return Detection(general, specific, self.detection(specific, general).softmax(dim=1))

    def upsample(self, detection: Detection) -> Tensor:
        """The fine map (B, H, W), 0..1, of a batch or of a part of it (`Detection.select`)."""
        logits = self.upsampling(detection.specific, detection.general, detection.probabilities)
        return logits.softmax(dim=1)[:, 1]

    def restrict(self, q_lo: Tensor, q_hi: Tensor) -> Restricted:
        """Codes of any part -> codes of a normal one -> its picture. Gradients pass the quantizers straight through."""
        f_lo, f_hi, codes = self.restrict_codes(q_lo, q_hi)
        return Restricted(f_lo, f_hi, self.object_decoder(codes))

    def restrict_codes(self, q_lo: Tensor, q_hi: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """F~_lo, F~_hi and the codes nearest to both on the finer grid (B, 2D, H/4, W/4): `restrict` up to the last choice of a code."""
        f_lo, f_hi = self.restriction_lo(q_lo), self.restriction_hi(q_hi)
        codes_lo = straight_through(f_lo, self.codec.quantizer_lo(f_lo).codes)
        codes_hi = straight_through(f_hi, self.codec.quantizer_hi(f_hi).codes)
        return f_lo, f_hi, self.codec.join(codes_lo, codes_hi)

    def start_object_decoder(self) -> None:
        """Copies the general decoder's weights where the object decoder has its form: it learns far faster than from nothing."""
        if self.config.object_decoder == "general":
            self.object_decoder.load_state_dict(self.codec.decoder.state_dict())


def _check_sides(pictures: Tensor) -> None:
    if pictures.ndim != 4 or pictures.shape[1] != 3 or pictures.shape[2] % SIDE_STEP or pictures.shape[3] % SIDE_STEP:
        raise ValueError(f"pictures: expected (B, 3, H, W) with sides that are multiples of {SIDE_STEP}, got {tuple(pictures.shape)}")
