"""Pictures -> pairs that show the same thing: one part seen twice, re-encoded, lit otherwise or a little shifted.

A fingerprint is what a picture holds between two scales, each place in units of its surroundings, so that light and exposure do not count.
Two are compared wherever they may lie to each other within 8 % of the side, by Fourier's transform. How alike two pictures of *different* parts
are depends on the product (a weave repeats itself, a screw lies in any direction), so the limit does too: halfway from what nearly all other
pairs of these pictures stay below to identity. docs/datasets.md says what it joins and what it misses on real parts.

Legend: N pictures, M of them at once, S side of a fingerprint, F its frequencies up to HIGHEST_FREQUENCY, twice (cosines, sines),
R shifts, (2 * REACH + 1) squared.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.preprocessing import Preprocessing

SIDE = 64
FINEST, COARSEST = 0.7, 2.0
"""Sigmas of the two Gaussians between which a fingerprint looks, in its own pixels."""
LEAST_CONTRAST = 0.5
"""Grey levels: an even surface is not blown up to noise."""
REACH = 5
"""Pixels of a fingerprint that one picture may be shifted against the other."""
USUAL = 0.99
"""Share of pairs of different pictures that the usual likeness is above."""
HIGHEST_LIMIT = 0.96
"""Re-encoded pictures reach it on every product that was measured."""
HIGHEST_FREQUENCY = 20
"""Periods along a side; what is finer than that goes first when a picture is encoded anew."""
SAMPLED = 200
"""Pictures that are compared with as many others to know what is usual."""

MOST_ALIKE, OF_PAIRS = 0.25, 120
"""Where a larger share of so many pairs of different groups looks the same, looks do not tell parts apart: identical parts in a rigid fixture."""
AT_ONCE = 16
"""Pictures that are compared with all others in one product: 30 MB, and 8 kB more for each of the others."""

Fingerprint = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to compare: what names it, what it is said to show, and whether it was compared before."""

    name: str
    group: str
    fingerprint: Fingerprint  # (F,)
    known: bool = False


@dataclass(frozen=True, slots=True)
class Alike:
    pairs: tuple[tuple[str, str], ...]
    """Names of pictures that show the same thing, though their groups do not say so."""
    usual: float
    """Likeness that 99 of 100 pairs of different groups stay below."""
    limit: float
    compared: int
    telling: bool = True
    """Whether looks tell different parts apart; else nothing is paired, since all would be one group."""


def fingerprint_of(image: bytes) -> Fingerprint:
    """JPEG or PNG -> (F,) of length 1, so that the product of two is how alike they are where they lie. Raises ImageError."""
    grey = cv2.cvtColor(Preprocessing(side=SIDE).decode(image).pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    band = cv2.GaussianBlur(grey, (0, 0), FINEST) - cv2.GaussianBlur(grey, (0, 0), COARSEST)
    contrast = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), 2 * COARSEST)) + LEAST_CONTRAST
    spectrum = np.fft.fft2(band / contrast)[_ROWS, _COLUMNS]
    found = np.concatenate([spectrum.real, spectrum.imag]).astype(np.float32)
    return np.asarray(found / max(float(np.linalg.norm(found)), 1e-6))


@threadpool_limits.wrap(limits=1, user_api="blas")
def find_alike(pictures: Sequence[Picture]) -> Alike:
    """Compares each new picture with all others of other groups; pairs that were both known are not looked at again.

    On one thread: beside others that compute, several of them spend most of their time waiting for each other.
    """
    if len({picture.group for picture in pictures}) < 2:
        return Alike((), 0.0, HIGHEST_LIMIT, 0)
    fingerprints = np.stack([picture.fingerprint for picture in pictures])  # (N, F)
    groups = np.unique([picture.group for picture in pictures], return_inverse=True)[1]
    known = np.fromiter((picture.known for picture in pictures), bool, len(pictures))
    usual = _usual_likeness(fingerprints, groups)
    limit = min(HIGHEST_LIMIT, (1 + usual) / 2)
    new, pairs, compared = np.flatnonzero(~known), list[tuple[str, str]](), 0
    for rows in (new[start : start + AT_ONCE] for start in range(0, len(new), AT_ONCE)):
        wanted = (groups != groups[rows, None]) & (known | (np.arange(len(pictures)) < rows[:, None]))  # each pair once
        found = wanted & (_likeness(fingerprints[rows], fingerprints) >= limit)
        compared += int(wanted.sum())
        pairs += [(pictures[rows[row]].name, pictures[other].name) for row, other in np.argwhere(found)]
    telling = compared < OF_PAIRS or len(pairs) <= MOST_ALIKE * compared
    return Alike(tuple(pairs) if telling else (), usual, limit, compared, telling)


def likeness(one: Fingerprint, other: Fingerprint) -> float:
    """-1..1: 1 for the same picture."""
    return float(_likeness(one[None], other[None])[0, 0])


def grouped(names: Collection[str], pairs: Collection[tuple[str, str]]) -> Mapping[str, str]:
    """Each name -> the first (in the alphabet) of all that pairs join it with, directly or through others."""
    leader = {name: name for name in names}

    def led_by(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for one, other in pairs:
        first, second = sorted((led_by(one), led_by(other)))
        leader[second] = first
    return {name: led_by(name) for name in names}


def _usual_likeness(fingerprints: NDArray[np.float32], groups: NDArray[np.intp]) -> float:
    """Of pairs of different groups; some are enough."""
    dice = np.random.default_rng(0)
    first, second = (dice.permutation(len(groups))[:SAMPLED] for _ in range(2))
    chunks = [_likeness(fingerprints[first[start : start + AT_ONCE]], fingerprints[second]) for start in range(0, len(first), AT_ONCE)]
    return float(np.quantile(np.concatenate(chunks)[groups[first, None] != groups[second]], USUAL))


def _likeness(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(M, F) and (N, F) -> (M, N): the highest over all shifts of the first."""
    cosines, sines = np.split(some[:, None], 2, axis=2)  # (M, 1, F / 2)
    shifted = np.concatenate([_COSINES * cosines - _SINES * sines, _COSINES * sines + _SINES * cosines], axis=2)  # (M, R, F)
    products = others @ shifted.reshape(-1, others.shape[1]).T  # (N, F) x (F, M * R)
    found: NDArray[np.float32] = products.reshape(len(others), len(some), -1).max(axis=2).T
    return found


def _half_plane() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Frequencies of a real picture: the other half says the same. The mean is left out."""
    reach = np.arange(-HIGHEST_FREQUENCY, HIGHEST_FREQUENCY + 1)
    rows, columns = (axis.ravel() for axis in np.meshgrid(reach, reach[HIGHEST_FREQUENCY:], indexing="ij"))
    wanted = (columns > 0) | (rows > 0)
    return rows[wanted], columns[wanted]


def _shifts(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.complex64]:
    """(R, F / 2): what a shift does to each frequency."""
    steps = np.arange(-REACH, REACH + 1)
    down, right = (axis.ravel()[:, None] for axis in np.meshgrid(steps, steps, indexing="ij"))
    found: NDArray[np.complex64] = np.exp(-2j * np.pi / SIDE * (down * rows + right * columns)).astype(np.complex64)
    return found


_ROWS, _COLUMNS = _half_plane()
_COSINES, _SINES = np.ascontiguousarray(_shifts(_ROWS, _COLUMNS).real), np.ascontiguousarray(_shifts(_ROWS, _COLUMNS).imag)
