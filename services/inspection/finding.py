"""What passes between frame consumer and Inspector replica: plain values, cheap to pickle, no torch behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.contract.inspection import Calibration, Decision, Region

MapKind = Literal["coarse", "full"]


@dataclass(frozen=True, slots=True)
class Question:
    """One micro-batch: encoded pictures of any lines that share a model version, each with its calibration."""

    model_version: str
    images: Sequence[bytes]
    calibrations: Sequence[Calibration]
    wants_map: Sequence[bool]
    """Somebody looks at this frame's line: its map is wanted even if the part passes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the machine found in one picture. Regions, width and height are in pixels of the original."""

    score: float
    decision: Decision
    width: int
    height: int
    map_kind: MapKind
    regions: tuple[Region, ...] = ()
    map_png: bytes | None = None


@dataclass(frozen=True, slots=True)
class FrameFault:
    """This picture cannot be inspected, whoever tries; its neighbours can."""

    error: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Findings in the order of the question, and how long ago (s) decoding ended: durations, since clocks of machines differ."""

    findings: Sequence[Finding | FrameFault]
    since_decoded_s: float
