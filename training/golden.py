"""Good parts nobody learnt from -> golden frames: pictures with the scores that their version must give, wherever it is loaded.

Half of them carry a smudge, so that a network that answers the same to everything fails too. PNG at the network's own side, so that
no decoder's rounding comes between.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from models.dsr import DSR
from models.preprocessing import Pixels, to_tensor
from models.registry import GOLDEN
from models.scoring import anomaly_score
from training.randomness import Randomness
from training.synthesis import smudged

FRAMES = 8
TOLERANCE = 0.01
"""Scores are 0..1; another thread count, batch or compiler moves them by less than 0.001 (measured), a wrong weight by more."""


@torch.no_grad()
def write_golden(folder: Path, dsr: DSR, held_out: Pixels, *, filter_side: int, seed: int) -> None:
    """Writes golden/*.png and golden/expected.json into a version folder; `held_out` is (N, S, S, 3)."""
    frames = _golden_frames(held_out, seed)
    scores = anomaly_score(dsr.detect(to_tensor(frames).to(dsr.codec.device)).anomaly_map, filter_side).tolist()
    place = folder / GOLDEN
    place.mkdir(exist_ok=True)
    for index, frame in enumerate(frames):
        cv2.imwrite(str(place / f"{index:02d}.png"), frame)
    expected = {"tolerance": TOLERANCE, "scores": {f"{index:02d}.png": round(score, 6) for index, score in enumerate(scores)}}
    (place / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


def _golden_frames(held_out: Pixels, seed: int) -> list[Pixels]:
    """Evenly drawn from what was held out, so that every product has some; every second one smudged."""
    places = np.linspace(0, len(held_out) - 1, FRAMES).round().astype(int)
    frames = [held_out[place] for place in places]
    return [smudged(frame, frame, Randomness.of(seed, "golden", index).numpy)[0] if index % 2 else frame for index, frame in enumerate(frames)]
