"""Encoded pictures -> findings: decode, score, decide, map. Pure: no network, no clock but a stopwatch.

Two halves, so that a replica can decode one micro-batch while it infers another. A picture that cannot be decoded becomes a
fault of its own and never reaches its neighbours: a batch of N gives what N batches of one give.

Legend: B batch, S the network's side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from torch import Tensor

from models.preprocessing import ImageError, Picture, Preprocessing, to_tensor
from services.contract.inspection import Calibration
from services.contract.settings import InspectionSettings
from services.inspection.decision import AnomalyMap, decide, regions
from services.inspection.errors import InspectionError
from services.inspection.finding import Finding, FrameFault, MapKind, Question


class Scored(Protocol):
    """A detector's first step: scores (B,) and coarse maps (B, S, S), both 0..1."""

    @property
    def scores(self) -> Tensor: ...

    @property
    def coarse_maps(self) -> Tensor: ...


class Detector(Protocol):
    """A trained detector made fast (`models.engine.Engine`)."""

    @property
    def preprocessing(self) -> Preprocessing: ...

    @property
    def full_maps(self) -> bool:
        """Whether `mask` gives the upsampling module's maps; if not, coarse ones."""
        ...

    def score(self, batch: Tensor) -> Any: ...

    def mask(self, scored: Any, indices: Sequence[int]) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Checked before anything is decoded."""

    max_bytes: int
    max_pixels: int

    @classmethod
    def of(cls, settings: InspectionSettings) -> "Limits":
        return cls(int(settings.max_frame_mb * 2**20), int(settings.max_megapixels * 1e6))


Decoded = Sequence[Picture | FrameFault]


def decode(images: Sequence[bytes], preprocessing: Preprocessing, limits: Limits) -> Decoded:
    """Each picture, or why it cannot be one."""
    return [_decode(image, preprocessing, limits) for image in images]


def judge(detector: Detector, decoded: Decoded, question: Question, *, two_step: bool) -> list[Finding | FrameFault]:
    """Findings in the order of the question. With `two_step` only suspicious frames get the upsampling module's full map."""
    findings: list[Finding | FrameFault] = [one if isinstance(one, FrameFault) else FrameFault("not judged") for one in decoded]
    readable = {index: one for index, one in enumerate(decoded) if isinstance(one, Picture)}
    if readable:
        for index, finding in zip(readable, _judge(detector, readable, question, two_step), strict=True):
            findings[index] = finding
    return findings


def _decode(image: bytes, preprocessing: Preprocessing, limits: Limits) -> Picture | FrameFault:
    try:
        return preprocessing.decode(image, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
    except ImageError as error:
        return FrameFault(str(error))


def _judge(detector: Detector, readable: dict[int, Picture], question: Question, two_step: bool) -> list[Finding]:
    pictures, calibrations = list(readable.values()), [question.calibrations[index] for index in readable]
    scored = detector.score(to_tensor(pictures))
    scores = [float(score) for score in scored.scores]
    suspicious = [at for at, score in enumerate(scores) if detector.full_maps and (not two_step or score >= calibrations[at].review)]
    full_maps = dict(zip(suspicious, _arrays(detector.mask(scored, suspicious)), strict=True)) if suspicious else {}
    coarse_maps = _arrays(scored.coarse_maps)
    wanted = [question.wants_map[index] for index in readable]
    return [
        _finding(score, picture, calibration, full_maps.get(at, coarse_maps[at]), "full" if at in full_maps else "coarse", wanted[at])
        for at, (score, picture, calibration) in enumerate(zip(scores, pictures, calibrations, strict=True))
    ]


def _finding(score: float, picture: Picture, calibration: Calibration, anomaly_map: AnomalyMap, kind: MapKind, wanted: bool) -> Finding:
    if not math.isfinite(score):
        raise InspectionError(f"detector: expected a finite score, got {score}")
    decision = decide(score, calibration)
    flagged = score >= calibration.review or score >= calibration.fail
    found = regions(anomaly_map, calibration.map_threshold, width=picture.width, height=picture.height) if flagged else ()
    png = map_png(anomaly_map) if flagged or wanted else None
    return Finding(score, decision, picture.width, picture.height, kind, found, png)


def map_png(anomaly_map: AnomalyMap) -> bytes:
    """Map (S, S) of 0..1 -> a grey PNG of 0..255."""
    grey = np.rint(np.clip(anomaly_map, 0, 1) * 255).astype(np.uint8)
    _, encoded = cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()


def _arrays(maps: Tensor) -> AnomalyMap:
    found: AnomalyMap = maps.detach().float().cpu().numpy()
    return found
