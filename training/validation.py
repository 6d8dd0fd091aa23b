"""Good parts that nobody learns from -> a fixed set, half of it smudged, by which a training chooses its best step.

Cut from the training pictures by group, so the test pictures stay unread. The smudges are those of stage 3 under another seed: a proxy
for real defects, and for the outline a kind one; it compares steps of one training, it does not promise an accuracy.

Legend: n pictures, S side.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.dsr import DSR, Detection
from models.preprocessing import Pixels, to_tensor
from models.scoring import anomaly_score
from training.evaluation import PixelCurve, image_auroc
from training.randomness import Randomness
from training.synthesis import smudged

LARGEST = 48
SAMPLES = 4
FRAMES_PER_PASS = 8


@dataclass(frozen=True, slots=True)
class Validation:
    """Pictures by turns good and smudged."""

    pictures: Tensor  # (n, 3, S, S)
    masks: Tensor  # (n, S, S), bool

    @property
    def good(self) -> Tensor:
        return self.pictures[0::2]


def validation_of(held_out: Pixels, *, seed: int) -> Validation:
    """(N, S, S, 3) -> twice as many pictures, of at most half of `LARGEST` parts drawn evenly."""
    chosen = held_out[np.linspace(0, len(held_out) - 1, min(len(held_out), LARGEST // 2)).round().astype(int)]
    pictures, masks = [], []
    for index, part in enumerate(chosen):
        smudge, mask = smudged(part, chosen[index - 1], Randomness.of(seed, "validation", index).numpy)
        pictures += [part, smudge]
        masks += [np.zeros(mask.shape, bool), mask.astype(bool)]
    return Validation(to_tensor(pictures), torch.from_numpy(np.stack(masks)))


@torch.no_grad()
def measured(dsr: DSR, validation: Validation, *, full: bool, filter_side: int) -> dict[str, float]:
    """Pixel AP of the full or the coarse map, and what the score separates."""
    curve, scores = PixelCurve(), []
    for detection, masks in _detected(dsr, validation):
        maps = dsr.upsample(detection) if full else detection.anomaly_map
        scores.append(anomaly_score(detection.anomaly_map, filter_side).cpu())
        for anomaly_map, mask in zip(maps.float().cpu().numpy(), masks.numpy(), strict=True):
            curve.add(anomaly_map, mask)
    defective = validation.masks.flatten(1).any(dim=1).numpy()
    found = {"pixel_ap": curve.average_precision(), "image_auroc": image_auroc(torch.cat(scores).numpy(), defective)}
    return {name: value for name, value in found.items() if value is not None}


@torch.no_grad()
def contact_sheet(dsr: DSR, validation: Validation, *, full: bool) -> Tensor:
    """(3, SAMPLES * S, 5 * S): smudged parts, both reconstructions, the map and the true mask, a part in each row."""
    pictures, masks = validation.pictures[1::2][:SAMPLES], validation.masks[1::2][:SAMPLES]
    detection = dsr.detect(pictures.to(dsr.codec.device))
    maps = dsr.upsample(detection) if full else detection.anomaly_map
    grey = [one[:, None].float().cpu().expand(-1, 3, -1, -1) for one in (maps, masks)]
    columns = torch.cat([pictures, detection.general.float().cpu(), detection.specific.float().cpu(), *grey], dim=3)  # (n, 3, S, 5 S)
    return torch.cat(list(columns), dim=1)


def _detected(dsr: DSR, validation: Validation) -> Iterator[tuple[Detection, Tensor]]:
    for pictures, masks in zip(validation.pictures.split(FRAMES_PER_PASS), validation.masks.split(FRAMES_PER_PASS), strict=True):
        yield dsr.detect(pictures.to(dsr.codec.device)), masks
