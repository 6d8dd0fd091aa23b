"""A detector's version -> one ONNX file for other runtimes, compared with PyTorch before anybody gets it.

In: `pictures` (B, 3, S, S), floats in 0..1, BGR, any B. Out: `score` (B,), `coarse_map` (B, S, S) and, unless only scores are asked for
or the upsampling module never learnt, `full_map` (B, S, S). How to feed it is in the file's own metadata too.

Two runtimes round differently, so a feature half way between two codes may choose the other one, and the map changes around it.
Hence two comparisons: with PyTorch made to take the same codes, where maps must agree everywhere, and freely, where scores must.

Legend: B batch, S the network's side.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.checkpoint import CheckpointError, Version, load, read_version
from models.choices import choices
from models.dsr import DSR
from models.preprocessing import to_tensor
from models.registry import GOLDEN
from models.scoring import anomaly_score

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
INSTALL = f"pip install {' '.join(PACKAGES)}"
TOLERANCE = 1e-3
"""Of maps and scores over the same codes: rounding moves them by less than 2e-4 (measured, up to the paper's size)."""
FREE_TOLERANCE = 0.01
"""Of scores over each runtime's own codes: as much as golden frames may differ."""
FLIPPED_SHARE = 1e-3
"""Of all choices of codes, how many may fall otherwise."""
FRAMES_PER_RUN = 3
RANDOM_FRAMES = 4


class ExportError(CheckpointError):
    """No file was written: what it needs is not installed, or it would answer otherwise."""


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest differences between the file and PyTorch, over some frames."""

    frames: int
    score: float
    """This and the maps: over the same codes."""
    coarse_map: float
    full_map: float | None
    free_score: float
    """Each over its own codes."""
    flipped_share: float
    """Of all choices of codes, how many fell otherwise."""

    @property
    def holds(self) -> bool:
        over_same_codes = max(self.score, self.coarse_map, self.full_map or 0.0)
        return over_same_codes <= TOLERANCE and self.free_score <= FREE_TOLERANCE and self.flipped_share <= FLIPPED_SHARE

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def export_onnx(folder: Path, out: Path, *, score_only: bool = False) -> Parity:
    """Writes the file and says how well it agrees. ExportError where it does not, or where the extra `export` is not installed; CheckpointError."""
    absent = [package for package in PACKAGES if find_spec(package) is None]
    if absent:
        raise ExportError(f"export: expected the packages {', '.join(PACKAGES)}, not installed: {', '.join(absent)}; `{INSTALL}`")
    version = read_version(folder)
    full_maps = "upsampling" in version.completed_stages and not score_only
    network = _Exported(load(folder, full_maps=full_maps), version.filter_side, full_maps=full_maps).eval()
    partial = out.with_name(f".{out.name}.partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write(network, partial, folder, version)
        parity = _compare(network, partial, _frames(folder, version))
        if not parity.holds:
            raise ExportError(f"{out}: not written, it would answer otherwise than PyTorch: {parity.to_dict()}")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return parity


class _Exported(nn.Module):
    """Pictures to answers in one call: ONNX has no second one."""

    def __init__(self, dsr: DSR, filter_side: int, *, full_maps: bool) -> None:
        super().__init__()
        self.dsr, self.filter_side, self.full_maps = dsr, filter_side, full_maps

    @property
    def outputs(self) -> tuple[str, ...]:
        return ("score", "coarse_map", *(["full_map"] if self.full_maps else []))

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        detection = self.dsr.detect(pictures)
        answers = (anomaly_score(detection.anomaly_map, self.filter_side), detection.anomaly_map)
        return (*answers, self.dsr.upsample(detection)) if self.full_maps else answers


def _write(network: _Exported, path: Path, folder: Path, version: Version) -> None:
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    side = version.preprocessing.side
    for logger in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(logger).setLevel(logging.ERROR)  # they warn of torchvision, which nothing here uses
    program = torch.onnx.export(
        network,
        (torch.rand(2, 3, side, side),),  # a batch of one would be taken for a constant
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["pictures"],
        output_names=list(network.outputs),
        verbose=False,
    )
    assert program is not None
    ClearMetadataAndDocStringPass()(program.model)  # the code that it was traced through, with this machine's paths
    program.model.metadata_props.update({name: json.dumps(value) for name, value in _facts(folder, version).items()})
    program.save(path, external_data=False)


def _facts(folder: Path, version: Version) -> dict[str, Any]:
    return {"loupe.model": folder.name, "loupe.preprocessing": {**version.preprocessing.to_dict(), "range": [0, 1]}, "loupe.filter_side": version.filter_side}


def _frames(folder: Path, version: Version) -> Tensor:
    """The version's golden frames, where it has some; else smooth noise, which is nearer to pictures than white noise is."""
    golden = [version.preprocessing.decode(path.read_bytes()) for path in sorted((folder / GOLDEN).glob("*.png"))]
    if golden:
        return to_tensor(golden)
    coarse = torch.rand(RANDOM_FRAMES, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, size=version.preprocessing.side, mode="bilinear")


@torch.inference_mode()
def _compare(network: _Exported, path: Path, frames: Tensor) -> Parity:
    """Runs both, on one frame and then on several at once."""
    session, choices = _session(path)
    differences, flipped, chosen = [], 0, 0
    for batch in (frames[:1], *frames[1:].split(FRAMES_PER_RUN)):
        found = session.run([*network.outputs, *choices], {"pictures": batch.numpy()})
        answers, codes = found[: len(network.outputs)], found[len(network.outputs) :]
        same, flips = _answer_over(network, batch, codes)
        free = network(batch)[0].numpy()
        differences.append([_difference(free, answers[0]), *(_difference(*pair) for pair in zip(same, answers, strict=True))])
        flipped, chosen = flipped + flips, chosen + sum(indices.size for indices in codes)
    free_score, score, *maps = (max(column) for column in zip(*differences, strict=True))
    return Parity(len(frames), score, maps[0], maps[1] if network.full_maps else None, free_score, flipped / chosen)


def _session(path: Path) -> tuple[Any, list[str]]:
    """The file, made to show which codes it chooses, too."""
    import onnx
    import onnxruntime

    model = onnx.load(path)
    choices = [node.output[0] for node in model.graph.node if node.op_type == "ArgMin"]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, None) for name in choices)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]), choices


def _answer_over(network: _Exported, batch: Tensor, codes: Sequence[NDArray[Any]]) -> tuple[list[NDArray[Any]], int]:
    """PyTorch's answers over given codes, and how many of these it would have chosen otherwise."""
    lo, restricted_lo, hi, restricted_hi = sorted(codes, key=lambda indices: indices.size)  # of one grid, the picture's come before those of its restriction
    given = [torch.from_numpy(indices) for indices in (lo, hi, restricted_lo, restricted_hi)]
    with choices(network.dsr.codec, given) as own:
        answers = [answer.numpy() for answer in network(batch)]
    return answers, sum(int((one.view_as(other) != other).sum()) for one, other in zip(given, own, strict=True))


def _difference(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    return float(np.abs(ours - theirs).max())
