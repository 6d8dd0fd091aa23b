"""Stage 1: a codec that draws any picture from codes, learnt on natural pictures (DSR, section 3.7).

The loss is in units of the pictures' variance, so that the commitment to codes weighs the same on dull and on colourful data.
Codes that nobody chooses are given a random feature: without this most of a codebook dies within 200 steps (measured).
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.dsr import Codec
from models.dsr.quantizer import Quantizer, straight_through
from models.preprocessing import Pixels, to_tensor
from training.data import Crops, draw_crop
from training.randomness import Randomness, drawn_indices
from training.recipes import Recipe
from training.team import ALONE, Team

COMMITMENT = 0.25
REVIVE_EVERY = 25
REVIVE_UNTIL = 0.8
"""Share of the steps after which codes are left alone: a code revived at the end has no time to find its place."""


class CodecStage:
    """Trains all of a codec."""

    name = "codec"

    def __init__(self, codec: Codec, crops: Crops, recipe: Recipe, *, seed: int, seeded: bool = False, team: Team = ALONE) -> None:
        self.codec = codec
        self.crops = crops
        self.recipe = recipe
        self.seed = seed
        self.team = team
        self.variance = pixel_variance(crops.learn)
        self.seeded = seeded
        if seeded:
            self._trust_codebooks()
        self._features: dict[str, tuple[Tensor, Tensor]] = {}

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.codec.parameters()

    def losses(self, step: int, dice: Randomness) -> Mapping[str, Tensor]:
        pictures = self._batch(step, dice.numpy)
        if step == 0 and not self.seeded:
            self._seed(pictures, dice)
        fine, f_lo = self.codec.encoder(pictures)
        lo = self.codec.quantizer_lo(f_lo)
        q_lo = straight_through(f_lo, lo.codes)
        f_hi = self.codec.features_hi(fine, q_lo)
        hi = self.codec.quantizer_hi(f_hi)
        drawn = self.codec.decoder(self.codec.join(q_lo, straight_through(f_hi, hi.codes)))
        self._features = {"lo": (f_lo.detach(), lo.indices), "hi": (f_hi.detach(), hi.indices)}
        reconstruction = F.mse_loss(drawn, pictures) / self.variance
        commitment = F.mse_loss(f_lo, lo.codes) + F.mse_loss(f_hi, hi.codes)
        return {"total": reconstruction + COMMITMENT * commitment, "reconstruction": reconstruction, "commitment": commitment}

    def after_step(self, step: int, dice: Randomness) -> None:
        revive = step % REVIVE_EVERY == REVIVE_EVERY - 1 and step < REVIVE_UNTIL * self.recipe.codec.steps
        for grid, quantizer in self._quantizers().items():
            features, indices = self._features[grid]
            quantizer.learn(features, indices, total=self.team.sum)
            if revive:
                quantizer.revive(features, dice.torch)
                self._agree(quantizer)

    def check(self) -> Mapping[str, float]:
        """PSNR by folder, the first one deciding: name the photographs first."""
        return {f"psnr_db.{folder}": found["psnr_db"] for folder, found in codec_quality(self.codec, self.crops.held_out, crop=self.recipe.crop).items()}

    @torch.no_grad()
    def sample(self) -> Tensor | None:
        """Some held-out middles, what is drawn of them beneath."""
        pictures = next(iter(self.crops.held_out.values()), ())[:8]
        if not pictures:
            return None
        middles = to_tensor([_middle(picture, self.recipe.crop) for picture in pictures]).to(self.codec.device)
        rows = [torch.cat(list(row), dim=2) for row in (middles, self.codec(middles))]
        return torch.cat(rows, dim=1)

    def state(self) -> dict[str, Tensor]:
        averages = {f"{grid}.{name}": getattr(quantizer, name) for grid, quantizer in self._quantizers().items() for name in ("counts", "sums")}
        return {**self.codec.state_dict(), **averages}

    def restore(self, state: dict[str, Tensor]) -> None:
        for grid, quantizer in self._quantizers().items():
            quantizer.counts.copy_(state[f"{grid}.counts"])
            quantizer.sums.copy_(state[f"{grid}.sums"])
        self.codec.load_state_dict({name: state[name] for name in self.codec.state_dict()})

    def _quantizers(self) -> dict[str, Quantizer]:
        return {"lo": self.codec.quantizer_lo, "hi": self.codec.quantizer_hi}

    def _agree(self, quantizer: Quantizer) -> None:
        """Each worker drew from its own features: the first one's codes are everybody's."""
        for averages in (quantizer.codebook, quantizer.counts, quantizer.sums):
            averages.copy_(self.team.first(averages))

    def _trust_codebooks(self) -> None:
        places = self.recipe.codec.batch * (self.recipe.crop // 8) ** 2
        self.codec.quantizer_lo.trust_codebook(places / self.recipe.config.codes)
        self.codec.quantizer_hi.trust_codebook(4 * places / self.recipe.config.codes)

    def _batch(self, step: int, dice: np.random.Generator) -> Tensor:
        indices = drawn_indices(len(self.crops.learn), self.recipe.codec.batch, seed=self.seed, step=step)[self.team.rank :: self.team.size]
        crops = [draw_crop(self.crops.learn[index], self.recipe.crop, dice, strokes=self.recipe.codec_strokes) for index in indices]
        return to_tensor(crops).to(self.codec.device)

    @torch.no_grad()
    def _seed(self, pictures: Tensor, dice: Randomness) -> None:
        """Codes begin where the features are: random ones far away are never chosen."""
        fine, f_lo = self.codec.encoder(pictures)
        self.codec.quantizer_lo.seed(f_lo, dice.torch)
        self._agree(self.codec.quantizer_lo)
        f_hi = self.codec.features_hi(fine, self.codec.quantizer_lo(f_lo).codes)
        self.codec.quantizer_hi.seed(f_hi, dice.torch)
        self._agree(self.codec.quantizer_hi)


@torch.no_grad()
def codec_quality(codec: Codec, held_out: Mapping[str, tuple[Pixels, ...]], *, crop: int) -> dict[str, dict[str, float]]:
    """By folder, on the middles of pictures that it never saw: PSNR (dB) over all their pixels, and how many codes of each grid are in use."""
    return {folder: _quality(codec, to_tensor([_middle(picture, crop) for picture in pictures])) for folder, pictures in held_out.items() if pictures}


def _quality(codec: Codec, pictures: Tensor) -> dict[str, float]:
    placed = pictures.to(codec.device)
    latent = codec.encode(placed)
    error = float(F.mse_loss(codec.decode(latent), placed))
    used = {f"codes_{grid}": float(len(quantized.indices.unique())) for grid, quantized in (("lo", latent.lo), ("hi", latent.hi))}
    return {"psnr_db": round(-10 * float(np.log10(max(error, 1e-12))), 2), **used, "pictures": float(len(pictures))}


def pixel_variance(pictures: tuple[Pixels, ...]) -> float:
    sample = np.concatenate([picture[::8, ::8].reshape(-1, 3) for picture in pictures])
    return float((sample / 255.0).var()) + 1e-6


def _middle(picture: Pixels, side: int) -> Pixels:
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    return np.ascontiguousarray(picture[top : top + side, left : left + side])
