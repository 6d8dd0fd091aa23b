"""The files of the authors' code (VitjanZ/DSR_anomaly_detection) -> a version of ours, by a table of names.

Their stage 1 is one state dict (`vq_model_pretrained_128_4096.pckl`), each object five more, all pickles of torch: read with
`weights_only=True`, so that nothing in them runs. Every tensor must have its place here and every place its tensor.

Theirs says top and bot where this says lo and hi. Sizes that their code lets one choose are read off the tensors.
"""

import hashlib
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.checkpoint import CheckpointError, Version, save
from models.dsr import DSR, DSRConfig
from models.preprocessing import Preprocessing
from models.scoring import PAPER_FILTER

SIDE = 256
CODEC = "codec"
FILES = {
    "restriction_lo": "subspace_restriction_lo",
    "restriction_hi": "subspace_restriction_hi",
    "object_decoder": "image_recon_module",
    "detection": "anomaly_det_module",
    "upsampling": "upsample_module",
}
"""Part of ours -> what the name of their file says before the object."""
UNNAMED_UPSAMPLING = "*_upsample.pckl"
"""Their training script leaves the object out of this one."""

_RESTRICTION = {
    "down.0": "unet.encoder.block1",
    "down.2": "unet.encoder.block2",
    "down.4": "unet.encoder.block3",
    "up.0": "unet.decoder.up2",
    "up.1": "unet.decoder.db2",
    "up.2": "unet.decoder.up3",
    "up.3": "unet.decoder.db3",
    "to_codes": "unet.decoder.fin_out.0",
}
_UNET = {
    **{f"unet.down.{level}": f"unet.encoder.block{level + 1}" for level in range(4)},
    **{f"unet.lift.{level}": f"unet.decoder.up{level + 1}" for level in range(3)},
    **{f"unet.merge.{level}": f"unet.decoder.db{level + 1}" for level in range(3)},
    "unet.to_logits": "unet.decoder.fin_out.0",
}
NAMES: dict[str, dict[str, str]] = {
    CODEC: {
        "encoder.to_half": "_encoder_b._conv_1",
        "encoder.to_quarter": "_encoder_b._conv_2",
        "encoder.refine_hi.0": "_encoder_b._conv_3",
        "encoder.refine_hi.1": "_encoder_b._residual_stack",
        "encoder.to_eighth": "_encoder_t._conv_1",
        "encoder.refine_lo.0": "_encoder_t._conv_2",
        "encoder.refine_lo.1": "_encoder_t._residual_stack",
        "encoder.to_lo": "_pre_vq_conv_top",
        "encoder.to_hi": "_pre_vq_conv_bot",
        "quantizer_lo.codebook": "_vq_vae_top._embedding.weight",
        "quantizer_hi.codebook": "_vq_vae_bot._embedding.weight",
        "upscale_lo": "upsample_t",
        "decoder.mix": "_decoder_b._conv_1",
        "decoder.refine": "_decoder_b._residual_stack",
        "decoder.to_half": "_decoder_b._conv_trans_1",
        "decoder.to_picture": "_decoder_b._conv_trans_2",
    },
    "restriction_lo": _RESTRICTION,
    "restriction_hi": _RESTRICTION,
    "object_decoder": {
        "down.0": "block1",
        "down.2": "block2",
        "down.4": "pre_vq_conv",
        "up.0": "upblock1",
        "up.2": "upblock2",
        "mix": "_conv_1",
        "refine": "_residual_stack",
        "to_half": "_conv_trans_1",
        "to_picture": "_conv_trans_2",
    },
    "detection": _UNET,
    "upsampling": _UNET,
}
"""Part -> beginning of a name of ours -> the same in theirs."""

BLOCKS = {"spatial": "_block.1", "pointwise": "_block.3"}
"""The convolutions of a residual block."""
_RESIDUAL_BLOCK = re.compile(r"^\.(\d+)\.(spatial|pointwise)\.")

LEFT_BEHIND = {"object_decoder": frozenset({"vq._embedding.weight", "vq._ema_w", "vq._ema_cluster_size"})}
"""A quantizer that their image decoder once had: their own script passes over it (`strict=False`, for this file alone)."""


class AuthorsFilesError(CheckpointError):
    """Files that are not what the authors' code writes."""


def import_version(codec: Path, parts: Mapping[str, Path], out: Path, *, name: str) -> tuple[str, ...]:
    """Writes a version and says which stages it completed: of the codec alone, or of a detector, whose upsampling module may be missing.

    AuthorsFilesError lists, for all files together, every tensor that is missing, extra, of another shape or not finite.
    """
    lacking = sorted(FILES.keys() - parts.keys() - {"upsampling"}) if parts else []
    if lacking:
        raise AuthorsFilesError(f"parts: expected files for {sorted(FILES)} (upsampling may be missing), got none for {lacking}")
    files = {CODEC: codec, **parts}
    theirs = {part: _read(path) for part, path in files.items()}
    config = _config(theirs)
    dsr = _fresh(config)
    dsr.load_state_dict({**dsr.state_dict(), **_ours(files, theirs, dsr)})
    stages = (CODEC, *(["detection"] if parts else []), *(["upsampling"] if "upsampling" in parts else []))
    version = Version(config, Preprocessing(SIDE), PAPER_FILTER, stages)
    save(out, dsr if parts else dsr.codec, version, card=_card(name, files, config))
    return stages


def find_parts(folder: Path, item: str | None = None) -> dict[str, Path]:
    """Part -> its file in a folder, by the names that the authors' scripts write; `item` where it holds several objects."""
    if not folder.is_dir():
        raise AuthorsFilesError(f"parts: expected a folder, got {str(folder)!r}")
    found = {part: _find(folder, f"*{FILES[part]}_{item or '*'}.pckl") for part in FILES}
    if found["upsampling"] is None:
        found["upsampling"] = _find(folder, UNNAMED_UPSAMPLING)
    parts = {part: path for part, path in found.items() if path is not None}
    if not parts:
        raise AuthorsFilesError(f"{folder}: expected files like *{FILES['detection']}_{item or '*'}.pckl, got {sorted(path.name for path in folder.iterdir())}")
    return parts


def their_name(part: str, name: str) -> str:
    """What the authors' code calls a tensor that is called `name` inside our part."""
    for ours, theirs in NAMES[part].items():
        if name == ours or name.startswith(f"{ours}."):
            return theirs + _RESIDUAL_BLOCK.sub(lambda found: f"._layers.{found[1]}.{BLOCKS[found[2]]}.", name.removeprefix(ours))
    raise KeyError(f"{part}: no name of the authors' for {name!r}")


def _find(folder: Path, pattern: str) -> Path | None:
    paths = sorted(folder.glob(pattern))
    if len(paths) > 1:
        raise AuthorsFilesError(f"{folder}: expected one file like {pattern}, got {[path.name for path in paths]}; name the object")
    return paths[0] if paths else None


def _read(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise AuthorsFilesError(f"{path}: expected a state dict that torch reads with weights_only=True: {reason}") from error
    if not isinstance(content, Mapping) or not all(isinstance(values, Tensor) for values in content.values()):
        raise AuthorsFilesError(f"{path}: expected a state dict, names with tensors, got {_kind(content)}")
    return dict(content)


def _kind(content: object) -> str:
    return f"a dictionary with {sorted(map(str, content))[:5]}" if isinstance(content, Mapping) else type(content).__name__


def _config(theirs: Mapping[str, Mapping[str, Tensor]]) -> DSRConfig:
    """The sizes, read off a few tensors; the paper's where these are missing, which is then reported."""
    paper, codec = DSRConfig.paper(), theirs[CODEC]
    code_size = _size(codec, "_vq_vae_bot._embedding.weight", 1, paper.code_size)
    layers = [int(found[1]) for name in codec if (found := re.search(r"\._layers\.(\d+)\.", name))]
    return DSRConfig(
        code_size=code_size,
        codes=_size(codec, "_vq_vae_bot._embedding.weight", 0, paper.codes),
        codec_width=_size(codec, "_encoder_b._conv_2.weight", 0, paper.codec_width),
        residual_width=_size(codec, "_encoder_b._residual_stack._layers.0._block.1.weight", 0, paper.residual_width),
        residual_blocks=max(layers, default=paper.residual_blocks - 1) + 1,
        restriction_width=code_size,  # one number in their code
        unet_width=_size(theirs.get("detection", {}), "unet.encoder.block1.0.weight", 0, paper.unet_width),
    )


def _size(weights: Mapping[str, Tensor], name: str, axis: int, default: int) -> int:
    return weights[name].shape[axis] if name in weights and weights[name].ndim > axis else default


def _fresh(config: DSRConfig) -> DSR:
    """The same fresh weights each time: what no file fills in is part of the version's hash too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return DSR(config).eval()


def _ours(files: Mapping[str, Path], theirs: Mapping[str, Mapping[str, Tensor]], dsr: DSR) -> dict[str, Tensor]:
    """Whole names of ours -> the tensors of all files."""
    weights: dict[str, Tensor] = {}
    problems = []
    for part, path in files.items():
        own = dsr.get_submodule(part).state_dict()
        places = {their_name(part, name): name for name in own}
        shapes = {theirs_: own[name].shape for theirs_, name in places.items()} | (_average_shapes(dsr.config) if part == CODEC else {})
        found = {name: values for name, values in theirs[part].items() if name not in LEFT_BEHIND.get(part, ())}
        problems += _problems(path, shapes, found)
        weights |= {f"{part}.{place}": found[name].float() for name, place in places.items() if name in found}
    if problems:
        raise AuthorsFilesError(". ".join(problems))
    return weights


def _average_shapes(config: DSRConfig) -> dict[str, torch.Size]:
    """Of each codebook: must be there, but only a stage 1 that went on would need them."""
    shapes = {"_ema_w": torch.Size((config.codes, config.code_size)), "_ema_cluster_size": torch.Size((config.codes,))}
    return {f"_vq_vae_{grid}.{name}": shape for grid in ("top", "bot") for name, shape in shapes.items()}


def _problems(path: Path, shapes: Mapping[str, torch.Size], found: Mapping[str, Tensor]) -> list[str]:
    """Everything that is wrong with a file, in one line; none where all is well."""
    both = sorted(shapes.keys() & found.keys())
    wrong = {
        "missing": sorted(shapes.keys() - found.keys()),
        "extra": sorted(found.keys() - shapes.keys()),
        "wrong shape": [f"{name} {tuple(found[name].shape)} for {tuple(shapes[name])}" for name in both if found[name].shape != shapes[name]],
        "not finite": [name for name in both if not torch.isfinite(found[name]).all()],
    }
    named = [f"{kind} {', '.join(names)}" for kind, names in wrong.items() if names]
    return [f"{path}: {'; '.join(named)}"] if named else []


def _card(name: str, files: Mapping[str, Path], config: DSRConfig) -> dict[str, Any]:
    sources = {part: {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for part, path in files.items()}
    return {"name": name, "imported": sources, "config": config.to_dict(), "torch": torch.__version__}
