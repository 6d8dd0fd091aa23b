"""Folders of good pictures in, a model version out: the stages of DSR one after the other, each resumable.

`train_codec` runs stage 1 on pictures of anything, `train_detector` stages 2 and 3 on good parts. Both work beside their output, in
`.<name>.training`, and continue there when started again; the version appears when all is done.
"""

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from models.checkpoint import Version, load, load_codec, read_version, save
from models.dsr import DSR, Codec, DSRConfig
from models.engine import best_device, keep_memory
from models.preprocessing import Preprocessing, to_tensor
from models.registry import weights_hash
from training import explained
from training.codec import CodecStage, codec_quality
from training.data import DataError, Parts, read_crops, read_parts
from training.detector import DetectionStage, ObjectStage, UpsamplingStage, start_as_authors
from training.golden import write_golden
from training.loop import Run, StageReport, fingerprint, train
from training.recipes import Recipe, StageRecipe

log = logging.getLogger(__name__)

CHECKED_PARTS = 64
"""At least so many held-out parts check the object-specific branch, where there are so many; evenly drawn, for products stand in a row."""

CODEC_SIZES = ("code_size", "codes", "codec_width", "residual_width", "residual_blocks")


def train_codec(
    folders: Sequence[Path], recipe: Recipe, out: Path, *, name: str = "codec", start: Path | None = None, seed: int = 0, command: str = ""
) -> Path:
    """Stage 1 on pictures of anything -> a version with a codec only. `start` continues a codec that learnt before.

    Raises DataError, or what `training.loop` raises.
    """
    keep_memory()
    preprocessing = Preprocessing(side=recipe.side)
    crops = read_crops(folders, preprocessing, crop=recipe.crop)
    codec = (_fresh(recipe.config, seed).codec if start is None else _codec_of(start, recipe.config)).to(best_device())
    stage = CodecStage(codec, crops, recipe, seed=seed, seeded=start is not None)
    facts = {"recipe": recipe.to_dict(), "pictures": crops.source, "seed": seed, "start": start and weights_hash(start)}
    report = train(stage, recipe.codec, Run(_workplace(out), seed, fingerprint(facts)))
    card = {
        "name": name,
        "data": crops.source,
        "recipe": recipe.name,
        "seed": seed,
        "command": command,
        "start": None if start is None else _codec_card(start),
        "stages": {"codec": _reported(report, recipe.codec)},
        "held_out": codec_quality(codec, crops.held_out, crop=recipe.crop),
    }
    _write(out, codec, Version(recipe.config, preprocessing, recipe.filter_side, ("codec",)), card)
    shutil.rmtree(_workplace(out), ignore_errors=True)
    log.info("wrote %s", out)
    return out


def train_detector(
    folders: Sequence[Path],
    recipe: Recipe,
    out: Path,
    *,
    start: Path,
    name: str,
    codec_only: bool = False,
    seed: int = 0,
    command: str = "",
    left_out: Callable[[Path], bool] | None = None,
) -> Path:
    """Stages 2 and 3 on good parts -> a version that can be served.

    `start` is a codec, or a detector of other parts: then all of its weights are a head start, unless `codec_only`.
    Pictures that are `left_out` teach nothing: they are for the calibration.
    Raises DataError, CheckpointError, or what `training.loop` raises.
    """
    keep_memory()
    preprocessing = Preprocessing(side=recipe.side)
    parts = read_parts(folders, preprocessing, left_out=left_out)
    dsr = _started(start, recipe, seed, codec_only=codec_only).to(best_device())
    facts = {"recipe": recipe.to_dict(), "parts": parts.source, "seed": seed, "start": weights_hash(start), "codec_only": codec_only}
    run = Run(_workplace(out), seed, fingerprint(facts))
    card = {"name": name, "data": parts.source, "recipe": recipe.name, "seed": seed, "command": command, "start": start.name, "codec": _codec_card(start)}
    card |= _learn(dsr, parts, recipe, run)
    _write(out, dsr, Version(dsr.config, preprocessing, recipe.filter_side, ("codec", "detection", "upsampling")), card)
    write_golden(out, dsr, parts.held_out, filter_side=recipe.filter_side, seed=seed)
    shutil.rmtree(run.folder, ignore_errors=True)
    log.info("wrote %s", out)
    return out


def _learn(dsr: DSR, parts: Parts, recipe: Recipe, run: Run) -> dict[str, Any]:
    """All stages in order; what they say for the card."""
    reports, shares = {}, {}
    held_out = to_tensor(list(parts.held_out[:: max(1, len(parts.held_out) // CHECKED_PARTS)])).to(dsr.codec.device)
    plan = ((ObjectStage, recipe.objects), (DetectionStage, recipe.detection), (UpsamplingStage, recipe.upsampling))
    for kind, stage_recipe in plan:
        stage = kind(dsr, parts.learn, recipe, seed=run.seed)
        reports[stage.name] = _reported(train(stage, stage_recipe, run), stage_recipe)
        if kind is not UpsamplingStage:
            shares[stage.name] = explained.check(dsr, held_out, after=stage.name).to_dict()
    return {"stages": reports, "explained_variance": shares, "held_out_parts": len(held_out)}


def _started(start: Path, recipe: Recipe, seed: int, *, codec_only: bool) -> DSR:
    """A network to train: all weights of a detector, or a codec with everything else fresh."""
    version = read_version(start)
    if not codec_only and "detection" in version.completed_stages and version.config == recipe.config:
        return load(start, full_maps=False)
    codec = _codec_of(start, recipe.config)
    dsr = _fresh(recipe.config, seed)
    dsr.codec.load_state_dict(codec.state_dict())
    if recipe.name == "paper":
        start_as_authors(dsr)
    dsr.start_object_decoder()
    return dsr.eval()


def _codec_of(start: Path, config: DSRConfig) -> Codec:
    found = read_version(start).config
    differing = {size: (getattr(found, size), getattr(config, size)) for size in CODEC_SIZES if getattr(found, size) != getattr(config, size)}
    if differing:
        raise DataError(f"{start}: the recipe needs a codec of other sizes, (found, needed): {differing}")
    return load_codec(start).requires_grad_(True)


def _fresh(config: DSRConfig, seed: int) -> DSR:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DSR(config)


def _codec_card(start: Path) -> Mapping[str, Any]:
    """What is known of the codec: the card of a codec, or what a detector's card says of its own."""
    path = start / "card.json"
    card = json.loads(path.read_text()) if path.is_file() else {}
    return card.get("codec", card)


def _workplace(out: Path) -> Path:
    return out.parent / f".{out.name}.training"


def _write(out: Path, network: DSR | Codec, version: Version, card: Mapping[str, Any]) -> None:
    save(out, network, version, card={**card, "config": version.config.to_dict(), "torch": torch.__version__})


def _reported(report: StageReport, recipe: StageRecipe) -> dict[str, Any]:
    return {
        "steps": report.steps,
        "batch": recipe.batch,
        "learning_rate": recipe.learning_rate,
        "losses": {name: round(value, 5) for name, value in report.losses.items()},
    }
