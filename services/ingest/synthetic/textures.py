"""Kind of line -> the surface its parts are cut from: one large picture, drawn once, of which every frame shows another piece.

Nothing here knows of defects. The finest detail is about 6 px of 384, so that a network that sees 128 x 128 can draw all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.ingest.synthetic import KINDS

Field = NDArray[np.float32]  # (H, W) or (H, W, 3)
Pixels = NDArray[np.uint8]

SIDE = 384
"""Pixels of a frame."""
CANVAS = 768
"""Pixels of the surface: room for shifts by 150 px and rotations about the centre."""


class UnknownKindError(ValueError):
    """Not one of the kinds of line that can be drawn."""


@dataclass(frozen=True, slots=True)
class Surface:
    """What a line's parts are cut from, how freely they lie under the camera, and how the light falls.

    `underneath` is the same surface with its outer layer taken away (a fabric without its weft), where it has one.
    """

    pixels: Pixels  # (CANVAS, CANVAS, 3) BGR
    tilt_deg: float
    glare: float
    glare_width: tuple[float, float]  # of the frame, across and along; large: a band
    pitch: int = 0  # px between threads, bosses or ornaments
    underneath: Pixels | None = None


def surface(kind: str, rng: np.random.Generator) -> Surface:
    """Draws the surface; UnknownKindError for a kind that is not in KINDS."""
    if kind not in _DRAWERS:
        raise UnknownKindError(f"synthetic line: expected one of {', '.join(KINDS)}, got {kind!r}")
    return _DRAWERS[kind](rng)


def brushed_metal(rng: np.random.Generator) -> Surface:
    """Steel brushed along x, with milled grooves, under a lamp whose reflection wanders."""
    streaks = 5 * cloud(rng, 70, 3) + 5 * cloud(rng, 160, 14) + 3 * cloud(rng, 60, 60)
    y = _axis() % 208
    groove = -98 * _bump(y, 96, 8) + 52 * _bump(y, 112, 4.5)
    grey = streaks + groove[:, None]
    return Surface(_paint(grey[..., None] + np.array([146, 141, 134])), tilt_deg=2.5, glare=0.62, glare_width=(0.17, 9), pitch=208)


def woven_fabric(rng: np.random.Generator) -> Surface:
    """A plain weave of round threads, petrol over sand."""
    pitch = 24
    warp, weft = np.array([116, 92, 38.0]), np.array([168, 188, 202.0])
    along = _axis()
    across_warp = _thread(along, pitch)[None, :] * (0.93 + 0.07 * cloud(rng, 3, 50))
    across_weft = _thread(along, pitch)[:, None] * (0.96 + 0.05 * cloud(rng, 50, 3))
    over = np.sin(np.pi * along / pitch)[None, :] * np.sin(np.pi * along / pitch)[:, None]  # > 0 where the warp lies on top
    bulge = 0.72 + 0.28 * np.abs(over) ** 0.5
    share = 1 / (1 + np.exp(-14 * over))
    tone = 1 + 0.03 * cloud(rng, 40, 40)[..., None]
    woven = (share[..., None] * across_warp[..., None] * warp + (1 - share[..., None]) * across_weft[..., None] * weft) * bulge[..., None] * tone
    bare = np.array([38, 34, 26.0]) + (0.9 * across_warp**3)[..., None] * warp
    return Surface(_paint(woven), tilt_deg=4, glare=0.10, glare_width=(0.5, 0.5), pitch=pitch, underneath=_paint(bare))


def moulded_plastic(rng: np.random.Generator) -> Surface:
    """Two components: an orange panel with round cream buttons, lit from the upper left."""
    pitch, radius = 112, 32
    x, y = np.meshgrid(_axis() % pitch - pitch / 2, _axis() % pitch - pitch / 2)
    distance = np.hypot(x, y)
    height = 9 / (1 + np.exp((distance - radius) / 3.2)) - 3 * _bump(distance, 0, 11)
    slope_x, slope_y = np.gradient(height, axis=1), np.gradient(height, axis=0)
    shade = 1 + 0.28 * (slope_x + slope_y) + 0.05 * (height > 5)
    grain = 0.012 * cloud(rng, 5, 5) + 0.025 * cloud(rng, 50, 50)
    gloss = 70 * np.clip(slope_x + slope_y - 0.55, 0, None)
    colour = np.array([34, 104, 214.0]) + _inside(radius + 1 - distance, 2)[..., None] * np.array([150, 112, 14.0])
    return Surface(_paint((shade + grain)[..., None] * colour + gloss[..., None]), tilt_deg=5, glare=0.16, glare_width=(0.30, 0.30), pitch=pitch)


def ceramic_tile(rng: np.random.Generator) -> Surface:
    """White glaze with a cobalt ornament that repeats, a little cloudy."""
    pitch = 224
    x, y = np.meshgrid(_axis(), _axis())
    u, v = x % pitch - pitch / 2, y % pitch - pitch / 2
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    petals = _inside(62 + 26 * np.cos(8 * angle) - radius, 2.5) - _inside(26 + 7 * np.cos(8 * angle) - radius, 2.5)
    corner = np.hypot(np.abs(u) - pitch / 2, np.abs(v) - pitch / 2)
    rings = _inside(7 - np.abs(corner - 58), 2.5) + _inside(24 - corner, 2.5)
    diamond = _inside(15 - np.abs(np.abs(u) + np.abs(v) - pitch / 2), 2.5) * (1 - _inside(72 - corner, 2.5)) * 0.55
    ink = np.clip(petals + rings + diamond, 0, 1)[..., None] * (0.9 + 0.06 * cloud(rng, 14, 14))[..., None]
    glaze = np.array([212, 220, 222.0]) * (1 + 0.02 * cloud(rng, 60, 60))[..., None]
    return Surface(_paint(glaze * (1 - ink) + ink * np.array([148, 82, 34])), tilt_deg=5, glare=0.14, glare_width=(0.28, 0.28), pitch=pitch)


_DRAWERS: dict[str, Callable[[np.random.Generator], Surface]] = dict(zip(KINDS, (brushed_metal, woven_fabric, moulded_plastic, ceramic_tile), strict=True))


def cloud(rng: np.random.Generator, width: float, height: float, side: int = CANVAS) -> Field:
    """Smooth noise of unit variance; `width` and `height` are the size of its lumps in px."""
    noise = rng.standard_normal((side, side)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigmaX=width, sigmaY=height, borderType=cv2.BORDER_REFLECT)
    return np.asarray((smooth - smooth.mean()) / smooth.std(), np.float32)


def _axis() -> Field:
    return np.arange(CANVAS, dtype=np.float32)


def _bump(position: NDArray[Any], centre: float, width: float) -> NDArray[Any]:
    return np.exp(-0.5 * ((position - centre) / width) ** 2)


def _inside(distance: NDArray[Any], softness: float) -> NDArray[Any]:
    """Signed distance (> 0 inside) -> coverage 0..1 with a soft edge."""
    return 1 / (1 + np.exp(np.clip(-distance / softness * 2, -30, 30)))


def _thread(position: NDArray[Any], pitch: int) -> NDArray[Any]:
    """Brightness across threads side by side: round, dark between."""
    return 0.42 + 0.58 * np.abs(np.sin(np.pi * position / pitch)) ** 0.6


def _paint(colours: NDArray[Any]) -> Pixels:
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)
