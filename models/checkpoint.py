"""A network <-> a version folder: weights.safetensors, version.json (how to build and feed it), card.json (where it comes from).

Nothing in it can execute code. A version says which stages it completed: a map from a module that never learnt would look like one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.dsr import DSR, Codec, DSRConfig
from models.preprocessing import Preprocessing
from models.registry import CARD, VERSION, WEIGHTS

FORMAT = 1
STAGES = ("codec", "detection", "upsampling")


class CheckpointError(ValueError):
    """A folder that does not hold the network it should."""


class UntrainedError(CheckpointError):
    """A module is asked for whose stage was never run."""


@dataclass(frozen=True, slots=True)
class Version:
    """version.json: what must be known to build the network and to use it."""

    config: DSRConfig
    preprocessing: Preprocessing
    filter_side: int
    completed_stages: tuple[str, ...]

    def require(self, stage: str, folder: Path) -> None:
        if stage not in self.completed_stages:
            raise UntrainedError(f"{folder}: expected a version with stage {stage!r} completed, got {list(self.completed_stages)}")

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "config": self.config.to_dict(),
            "preprocessing": self.preprocessing.to_dict(),
            "filter_side": self.filter_side,
            "completed_stages": list(self.completed_stages),
        }


def save(folder: Path, network: DSR | Codec, version: Version, *, card: Mapping[str, Any]) -> None:
    """Writes the three files; an existing version in the folder is replaced. A codec alone is a version with stage `codec` only."""
    unknown = set(version.completed_stages) - set(STAGES)
    if unknown:
        raise ValueError(f"completed_stages: expected some of {STAGES}, got also {sorted(unknown)}")
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    _write(folder / VERSION, version.to_dict())
    _write(folder / CARD, dict(card))


def load(folder: Path, *, full_maps: bool = True) -> DSR:
    """The network, ready to serve. UntrainedError where it never learnt to detect or, for full maps, to upsample."""
    version = read_version(folder)
    version.require("detection", folder)
    if full_maps:
        version.require("upsampling", folder)
    dsr = DSR(version.config)
    load_weights(dsr, _read_weights(folder), folder)
    return dsr.eval().requires_grad_(False)


def load_codec(folder: Path) -> Codec:
    """The codec of a codec version or of a whole detector: what another detector starts from."""
    version = read_version(folder)
    version.require("codec", folder)
    weights = _read_weights(folder)
    inside = {name.removeprefix("codec."): tensor for name, tensor in weights.items() if name.startswith("codec.")}
    codec = Codec(version.config)
    load_weights(codec, inside or weights, folder)
    return codec.eval().requires_grad_(False)


def read_version(folder: Path) -> Version:
    path = Path(folder) / VERSION
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: expected the JSON of a version, {error}") from error
    if content.get("format") != FORMAT:
        raise CheckpointError(f"{path}: expected format {FORMAT}, got {content.get('format')!r}")
    try:
        config, preprocessing = DSRConfig.from_dict(content["config"]), Preprocessing.from_dict(content["preprocessing"])
        return Version(config, preprocessing, int(content["filter_side"]), tuple(content["completed_stages"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: expected config, preprocessing, filter_side and completed_stages, {error}") from error


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], folder: Path) -> None:
    """Fills a network; CheckpointError that lists every missing, extra and mis-shaped tensor."""
    expected = network.state_dict()
    missing = sorted(expected.keys() - weights.keys())
    extra = sorted(weights.keys() - expected.keys())
    shapes = [
        f"{name} {tuple(weights[name].shape)} for {tuple(expected[name].shape)}"
        for name in sorted(expected.keys() & weights.keys())
        if weights[name].shape != expected[name].shape
    ]
    if missing or extra or shapes:
        raise CheckpointError(f"{folder / WEIGHTS}: missing {_listed(missing)}; extra {_listed(extra)}; wrong shape {_listed(shapes)}")
    broken = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise CheckpointError(f"{folder / WEIGHTS}: expected finite numbers, not in {_listed(broken)}")
    network.load_state_dict(dict(weights))


def _read_weights(folder: Path) -> dict[str, Tensor]:
    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder / WEIGHTS}: expected safetensors, {error}") from error


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"
