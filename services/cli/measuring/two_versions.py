"""A detector -> versions that score every frame differently, and broken ones, each with golden frames and thresholds of its own: what swaps are tried with."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from models.engine import Engine
from models.preprocessing import Preprocessing, to_tensor
from models.registry import CARD, GOLDEN, WEIGHTS, Registry, read_json, weights_hash

SUSPICION = 1.5
"""Added to the logit of `defective` at every pixel: a score of 0.2 becomes 0.53."""
THRESHOLDS = {"review": 0.995, "fail": 0.999, "map_threshold": 0.9}
"""Nearly nothing is flagged, so that both versions cost a frame the same."""
DISTINCT = 0.05
"""Scores of both versions differ at least by so much on every picture that is sent."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Two folders of weights, and a registry which each new copy of them goes into under an id of its own."""

    plain: Path
    suspicious: Path
    registry: Registry
    line: str

    @classmethod
    def made(cls, base: Path, folder: Path, *, registry: Registry, line: str) -> "Versions":
        shutil.copytree(base, folder / "plain")
        shutil.copytree(base, folder / "suspicious")
        _make_suspicious(folder / "suspicious")
        return cls(folder / "plain", folder / "suspicious", registry, line)

    def copied(self, weights: Path, number: int) -> str:
        """The same weights as another version, which no replica has loaded yet."""
        return self._added(weights, f"swap {number}")

    def cut_off(self) -> str:
        """One whose weights end in the middle."""
        folder = self._copy(self.suspicious, "cut off")
        content = (folder / WEIGHTS).read_bytes()
        (folder / WEIGHTS).write_bytes(content[: len(content) // 2])
        return self._add(folder, "cut off")

    def with_other_scores(self) -> str:
        """One that loads, but does not score its golden frames as it should."""
        folder = self._copy(self.suspicious, "other scores")
        shutil.copyfile(self.plain / GOLDEN / "expected.json", folder / GOLDEN / "expected.json")
        return self._add(folder, "other scores")

    def _added(self, weights: Path, name: str) -> str:
        return self._add(self._copy(weights, name), name)

    def _copy(self, weights: Path, name: str) -> Path:
        return Path(shutil.copytree(weights, weights.parent / name.replace(" ", "-")))

    def _add(self, folder: Path, name: str) -> str:
        card = {**read_json(folder / CARD), "name": name, "calibrations": {self.line: {**THRESHOLDS, "weights_sha256": weights_hash(folder)}}}
        (folder / CARD).write_text(json.dumps(card))
        try:
            return self.registry.add(folder).id
        finally:
            shutil.rmtree(folder)


def scores(folder: Path, pictures: Sequence[bytes], *, threads: int) -> list[float]:
    """As a replica gets them, one by one."""
    engine = Engine.load(folder, threads=threads)
    return [_score(engine, picture) for picture in pictures]


def _make_suspicious(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights["detection.unet.to_logits.bias"][1] += SUSPICION
    save_file(weights, folder / WEIGHTS)
    place, engine = folder / GOLDEN / "expected.json", Engine.load(folder)
    expected: dict[str, Any] = read_json(place)
    expected["scores"] = {name: _score(engine, (folder / GOLDEN / name).read_bytes()) for name in expected["scores"]}
    place.write_text(json.dumps(expected))


def _score(engine: Engine, picture: bytes) -> float:
    preprocessing: Preprocessing = engine.preprocessing
    return float(engine.score(to_tensor([preprocessing.decode(picture)])).scores[0])
