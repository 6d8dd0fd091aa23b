"""A cut of a surface -> the same cut with a defect on it, such as a person sees at a glance; random in shape, size, place and polarity.

Every painter takes the canvas and a generator and paints into `canvas.pixels`. The mask is not painted: it is what changed (`changed`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.ingest.synthetic.textures import SIDE, Field, Pixels

VISIBLE = 10
"""Grey levels by which a pixel must differ to count as changed: less than that drowns in the sensor's noise."""
_FIXED = 4
_WHITE = np.array([236, 240, 242.0])


@dataclass(slots=True)
class Canvas:
    """The picture being painted, and what the painters need to know of it."""

    pixels: Field  # (SIDE, SIDE, 3) BGR, 0..255
    underneath: Field | None  # (SIDE, SIDE, 3), of the same cut
    placement: Field  # (2, 3), frame px -> surface px
    pitch: int

    def blend(self, colour: NDArray[np.floating] | Sequence[float], coverage: Field) -> None:
        alpha = coverage[..., None]
        self.pixels += alpha * (np.asarray(colour, np.float32) - self.pixels)

    def shade(self, gain: Field) -> None:
        np.clip(self.pixels * gain[..., None], 0, 255, out=self.pixels)


def scratch(canvas: Canvas, rng: np.random.Generator) -> None:
    """A gouge: a bright flank and a dark one."""
    _gouge(canvas, rng, heading=rng.uniform(0, np.pi))


def scratch_across(canvas: Canvas, rng: np.random.Generator) -> None:
    """A gouge that crosses the brushing; along it, nobody would see one."""
    _gouge(canvas, rng, heading=rng.uniform(0.2, 0.8) * np.pi)


def _gouge(canvas: Canvas, rng: np.random.Generator, *, heading: float) -> None:
    width, path = rng.uniform(9, 14), _curve(rng, heading=heading, length=rng.uniform(90, 260), bend=0.5)
    across = rng.choice([-1, 1]) * width * 0.32 * _normal(path)
    dark, bright = _stroke(path - across, width * 0.8), _stroke(path + across, width * 0.7)
    canvas.shade(1 - rng.uniform(0.55, 0.75) * dark)
    canvas.blend(_WHITE, rng.uniform(0.6, 0.85) * bright)


def pit(canvas: Canvas, rng: np.random.Generator) -> None:
    """One to three hollows: dark, with a lit far edge."""
    for _ in range(rng.integers(1, 4)):
        x, y, radius = *_somewhere(rng), rng.uniform(12, 24)
        hollow, rim = _blob(rng, x, y, radius, rough=0.16), _blob(rng, x + radius * 0.22, y + radius * 0.22, radius * 1.08, rough=0.12)
        canvas.blend(_WHITE, rng.uniform(0.55, 0.8) * np.clip(rim - hollow, 0, 1))
        canvas.shade(1 - rng.uniform(0.65, 0.85) * hollow)


def stain(canvas: Canvas, rng: np.random.Generator) -> None:
    """Oil, rust or paint: a patch with a darker edge."""
    colour = np.array(_STAINS[rng.integers(len(_STAINS))], np.float32)
    x, y, radius = *_somewhere(rng), rng.uniform(28, 62)
    patch = _blob(rng, x, y, radius, rough=0.3)
    inner = cv2.GaussianBlur(patch, (0, 0), 7)
    canvas.blend(colour, rng.uniform(0.68, 0.88) * patch)
    canvas.shade(1 - 0.35 * patch * np.clip(1.6 - 1.6 * inner, 0, 1))
    for _ in range(rng.integers(0, 4)):
        angle, away = rng.uniform(0, 2 * np.pi), radius * rng.uniform(1.3, 1.7)
        canvas.blend(colour, 0.85 * _blob(rng, x + away * np.cos(angle), y + away * np.sin(angle), rng.uniform(6, 11), rough=0.1))


def missing_thread(canvas: Canvas, rng: np.random.Generator) -> None:
    """One or two wefts are gone over a stretch, or over the whole width."""
    assert canvas.underneath is not None, "only surfaces with something underneath can lose their outer layer"
    x, y = canvas.placement[:, :2] @ np.array(_somewhere(rng)) + canvas.placement[:, 2]
    row = canvas.pitch * (np.floor(y / canvas.pitch) + 0.5)
    rows, half = rng.choice([1, 1, 2]), rng.uniform(60, 260)
    corners = np.array([[x - half, row], [x + half, row]])
    inverse = cv2.invertAffineTransform(canvas.placement)
    ends = corners @ inverse[:, :2].T + inverse[:, 2]
    gap = _stroke(ends, canvas.pitch * (rows - 0.1), round_ends=False)
    canvas.pixels += gap[..., None] * (canvas.underneath - canvas.pixels)


def loose_thread(canvas: Canvas, rng: np.random.Generator) -> None:
    """A thread that lies on top, with its shadow."""
    width, path = rng.uniform(10, 14), _curve(rng, heading=rng.uniform(0, np.pi), length=rng.uniform(160, 330), bend=1.6)
    colour = np.array(_THREADS[rng.integers(len(_THREADS))], np.float32)
    canvas.shade(1 - 0.55 * cv2.GaussianBlur(_stroke(path + 6, width * 1.1), (0, 0), 2.5))
    canvas.blend(colour * 0.72, _stroke(path, width))
    canvas.blend(colour, _stroke(path - 1, width * 0.5))


def hole(canvas: Canvas, rng: np.random.Generator) -> None:
    """A tear with frayed edges."""
    x, y, radius = *_somewhere(rng), rng.uniform(18, 36)
    canvas.blend((20, 22, 24), 0.96 * _blob(rng, x, y, radius, rough=0.4))
    for _ in range(rng.integers(4, 9)):
        angle = rng.uniform(0, 2 * np.pi)
        direction = np.array([np.cos(angle), np.sin(angle)])
        fray = np.array([x, y]) + direction * radius * np.array([[0.35], [rng.uniform(1.0, 1.4)]])
        canvas.blend((150, 172, 188), 0.8 * _stroke(fray, rng.uniform(4, 6)))


def crack(canvas: Canvas, rng: np.random.Generator) -> None:
    """A jagged dark line through the glaze, with branches."""
    trunk = _jagged(rng, _somewhere(rng), rng.uniform(0, 2 * np.pi), rng.uniform(140, 300))
    paths = [trunk]
    for _ in range(rng.integers(1, 4)):
        start, turn = trunk[rng.integers(2, len(trunk) - 1)], rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
        paths.append(_jagged(rng, start, _heading(trunk) + turn, rng.uniform(40, 110)))
    width = rng.uniform(9, 12)
    coverage = np.maximum.reduce([_stroke(path, width if path is trunk else 0.75 * width) for path in paths])
    canvas.blend((46, 54, 62), 0.92 * coverage)


def chip(canvas: Canvas, rng: np.random.Generator) -> None:
    """Glaze broken off: the clay shows, with a bright edge on one side."""
    x, y, radius = *_somewhere(rng), rng.uniform(20, 44)
    shape = _facets(rng, x, y, radius)
    edge = cv2.dilate(shape, np.ones((7, 7), np.uint8))
    canvas.blend(_WHITE, 0.9 * edge)
    clay = 1 + 0.16 * cv2.resize(rng.standard_normal((24, 24)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    shadow = np.clip(shape - _shifted(shape, radius * 0.25), 0, 1)
    canvas.blend((82, 124, 176), shape)
    canvas.shade(1 - shape * (1 - clay) - 0.45 * shadow)


def burn(canvas: Canvas, rng: np.random.Generator) -> None:
    """Overheated plastic: a streak, dark in the middle and brown at the edge."""
    path = _curve(rng, heading=rng.uniform(0, np.pi), length=rng.uniform(80, 190), bend=0.4)
    width = rng.uniform(22, 40)
    canvas.blend((26, 52, 92), 0.85 * cv2.GaussianBlur(_stroke(path, width), (0, 0), 4))
    canvas.blend((18, 22, 30), 0.8 * cv2.GaussianBlur(_stroke(path, width * 0.5), (0, 0), 4))


Painter = Callable[[Canvas, np.random.Generator], None]
PAINTERS: dict[str, dict[str, Painter]] = {
    "brushed-metal": {"scratch": scratch_across, "pit": pit, "stain": stain},
    "woven-fabric": {"missing-thread": missing_thread, "loose-thread": loose_thread, "stain": stain, "hole": hole},
    "moulded-plastic": {"scratch": scratch, "pit": pit, "stain": stain, "burn": burn},
    "ceramic-tile": {"crack": crack, "chip": chip, "stain": stain, "pit": pit},
}
"""Kind of line -> its kinds of defect."""

_STAINS = ((24, 30, 36), (30, 58, 104), (40, 74, 44), (62, 32, 78))  # oil, rust, lubricant, dye
_THREADS = ((220, 232, 240), (40, 44, 190), (30, 26, 28))  # white, red, black


def changed(before: Pixels, after: Pixels) -> Pixels:
    """255 where the two pictures of one part visibly differ, without specks and pinholes."""
    difference = cv2.absdiff(before, after).max(axis=2)
    mask = np.where(cv2.medianBlur(difference, 5) > VISIBLE, 255, 0).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8)), np.uint8)


def _somewhere(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.uniform(0.14 * SIDE, 0.86 * SIDE, 2)


def _curve(rng: np.random.Generator, *, heading: float, length: float, bend: float) -> NDArray[np.float64]:
    """A smooth path (24, 2) about a point well inside the frame."""
    turns = np.linspace(-1, 1, 24) * rng.uniform(-1, 1) * bend + np.sin(np.linspace(0, 3, 24) + rng.uniform(0, 6)) * 0.35 * bend
    headings = heading + turns
    steps = np.column_stack([np.cos(headings), np.sin(headings)]) * length / 24
    path = np.cumsum(steps, axis=0)
    return path - path[12] + rng.uniform(0.3 * SIDE, 0.7 * SIDE, 2)


def _jagged(rng: np.random.Generator, start: NDArray[np.float64], heading: float, length: float) -> NDArray[np.float64]:
    headings = heading + rng.uniform(-0.65, 0.65, max(int(length / 22), 3))
    steps = np.column_stack([np.cos(headings), np.sin(headings)]) * 22
    return np.vstack([start, start + np.cumsum(steps, axis=0)])


def _heading(path: NDArray[np.float64]) -> float:
    across, down = path[-1] - path[0]
    return float(np.arctan2(down, across))


def _normal(path: NDArray[np.float64]) -> NDArray[np.float64]:
    along = np.gradient(path, axis=0)
    return np.column_stack([-along[:, 1], along[:, 0]]) / np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)[:, None]


def _stroke(path: NDArray[np.float64], width: float, *, round_ends: bool = True) -> Field:
    """Coverage 0..1 of a line along the path."""
    coverage = np.zeros((SIDE, SIDE), np.uint8)
    if round_ends:
        cv2.polylines(coverage, [_fixed(path)], False, 255, max(round(width), 1), cv2.LINE_AA, _FIXED)
    else:
        along = (path[-1] - path[0]) / np.hypot(*(path[-1] - path[0]))
        side = np.array([-along[1], along[0]]) * width / 2
        cv2.fillConvexPoly(coverage, _fixed(np.array([path[0] - side, path[-1] - side, path[-1] + side, path[0] + side])), 255, cv2.LINE_AA, _FIXED)
    return _soft(coverage)


def _blob(rng: np.random.Generator, x: float, y: float, radius: float, *, rough: float) -> Field:
    """Coverage of a round patch with a wavy outline."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    waves = sum(rng.normal(0, rough / k) * np.cos(k * angles + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5))
    reach = radius * np.clip(1 + waves, 0.45, 1.7)
    return _filled(np.column_stack([x + reach * np.cos(angles), y + reach * np.sin(angles)]))


def _facets(rng: np.random.Generator, x: float, y: float, radius: float) -> Field:
    """Coverage of a splinter: seven to eleven straight edges."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(7, 12)))
    reach = radius * rng.uniform(0.65, 1.25, len(angles))
    return _filled(np.column_stack([x + reach * np.cos(angles), y + reach * np.sin(angles)]))


def _filled(outline: NDArray[np.float64]) -> Field:
    coverage = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(coverage, [_fixed(outline)], 255, cv2.LINE_AA, _FIXED)
    return _soft(coverage)


def _shifted(coverage: Field, by: float) -> Field:
    return np.asarray(cv2.warpAffine(coverage, np.array([[1, 0, by], [0, 1, by]], np.float32), (SIDE, SIDE)), np.float32)


def _soft(coverage: Pixels) -> Field:
    return np.asarray(cv2.GaussianBlur(coverage, (0, 0), 1.1), np.float32) / np.float32(255)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """OpenCV draws with fixed-point coordinates."""
    return np.rint(points * (1 << _FIXED)).astype(np.int32)
