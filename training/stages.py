"""Folders of good pictures in, a model version out: the stages of DSR one after the other, each resumable.

`train_codec` runs stage 1 on pictures of anything, `train_detector` stages 2 and 3 on good parts. Both work beside their output, in
`.<name>.training`, and continue there when started again; the version appears when all is done.
"""

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from models.checkpoint import Version, load, load_codec, read_version, save
from models.dsr import DSR, Codec, DSRConfig
from models.engine import best_device, keep_memory
from models.preprocessing import Preprocessing
from models.registry import weights_hash
from training import explained
from training.codec import CodecStage, codec_quality
from training.data import DataError, read_crops, read_parts
from training.defects import read_defects
from training.detector import DetectionStage, Lessons, ObjectStage, UpsamplingStage, start_as_authors
from training.golden import write_golden
from training.loop import Run, StageReport, TrainingError, fingerprint, train
from training.recipes import Recipe, StageRecipe
from training.suspects import doubt
from training.team import ALONE, Team
from training.tracking import SILENT, Tracker
from training.validation import validation_of

log = logging.getLogger(__name__)

CODEC_SIZES = ("code_size", "codes", "codec_width", "residual_width", "residual_blocks")


@dataclass(frozen=True, slots=True)
class Means:
    """What a training runs with, beside what it learns: its workers, and where it reports to."""

    team: Team = ALONE
    track: Callable[[str, Path, Mapping[str, Any]], Tracker] = lambda name, folder, facts: SILENT
    """Name of the run, its folder and its facts -> a tracker."""


ON_OUR_OWN = Means()


def train_codec(
    folders: Sequence[Path],
    recipe: Recipe,
    out: Path,
    *,
    name: str = "codec",
    start: Path | None = None,
    seed: int = 0,
    command: str = "",
    means: Means = ON_OUR_OWN,
) -> Path:
    """Stage 1 on pictures of anything -> a version with a codec only. `start` continues a codec that learnt before.

    Raises DataError, or what `training.loop` raises.
    """
    keep_memory()
    _check_team(means.team, recipe.codec)
    preprocessing = Preprocessing(side=recipe.side)
    crops = read_crops(folders, preprocessing, crop=recipe.crop)
    codec = (_fresh(recipe.config, seed).codec if start is None else _codec_of(start, recipe.config)).to(best_device())
    stage = CodecStage(codec, crops, recipe, seed=seed, seeded=start is not None, team=means.team)
    facts = {"recipe": recipe.to_dict(), "pictures": crops.source, "seed": seed, "start": start and weights_hash(start)}
    run = _run(out, name, seed, facts, means)
    report = train(stage, recipe.codec, run)
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
    if means.team.rank == 0:
        _write(out, codec, Version(recipe.config, preprocessing, recipe.filter_side, ("codec",)), card, run)
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
    defects: Sequence[Path] = (),
    means: Means = ON_OUR_OWN,
) -> Path:
    """Stages 2 and 3 on good parts, and on real `defects` (pictures of the MVTec layout, with masks) where there are any -> a version that can be served.

    `start` is a codec, or a detector of other parts: then all of its weights are a head start, unless `codec_only`.
    Pictures that are `left_out` teach nothing: they are for the calibration.
    Raises DataError, CheckpointError, or what `training.loop` raises.
    """
    keep_memory()
    preprocessing = Preprocessing(side=recipe.side)
    parts = read_parts(folders, preprocessing, left_out=left_out)
    real = read_defects(defects, preprocessing) if defects else None
    dsr = _started(start, recipe, seed, codec_only=codec_only).to(best_device())
    facts = {
        "recipe": recipe.to_dict(),
        "parts": parts.source,
        "defects": [path.as_posix() for path in defects],
        "seed": seed,
        "start": weights_hash(start),
        "codec_only": codec_only,
    }
    run = _run(out, name, seed, facts, means)
    doubted = doubt(dsr.codec, parts) if means.team.rank == 0 else []
    card = {
        "name": name,
        "data": parts.source,
        "doubted": doubted,
        "defects": {} if real is None else real.source,
        "recipe": recipe.name,
        "seed": seed,
        "command": command,
    }
    card |= {"start": start.name, "codec": _codec_card(start)}
    lessons = Lessons(parts.learn, real, validation_of(parts.held_out, seed=seed), means.team)
    card |= _learn(dsr, lessons, recipe, run)
    if means.team.rank == 0:
        version = Version(dsr.config, preprocessing, recipe.filter_side, ("codec", "detection", "upsampling"))
        _write(out, dsr, version, card, run, golden=partial(write_golden, held_out=parts.held_out, filter_side=recipe.filter_side, seed=seed))
    return out


def _learn(dsr: DSR, lessons: Lessons, recipe: Recipe, run: Run) -> dict[str, Any]:
    """All stages in order; what they say for the card."""
    assert lessons.validation is not None
    reports, shares = {}, {}
    good = lessons.validation.good.to(dsr.codec.device)
    plan = ((ObjectStage, recipe.objects), (DetectionStage, recipe.detection), (UpsamplingStage, recipe.upsampling))
    for kind, stage_recipe in plan:
        _check_team(lessons.team, stage_recipe)
        stage = kind(dsr, lessons, recipe, seed=run.seed)
        reports[stage.name] = _reported(train(stage, stage_recipe, run), stage_recipe)
        if kind is not UpsamplingStage:
            shares[stage.name] = explained.check(dsr, good, after=stage.name).to_dict()
    return {"stages": reports, "explained_variance": shares, "held_out_parts": len(good)}


def _run(out: Path, name: str, seed: int, facts: Mapping[str, Any], means: Means) -> Run:
    folder = out.parent / f".{out.name}.training"
    tracker = means.track(name, folder, facts) if means.team.rank == 0 else SILENT
    return Run(folder, seed, fingerprint({**facts, "workers": means.team.size}), means.team, tracker)


def _check_team(team: Team, recipe: StageRecipe) -> None:
    if recipe.steps and recipe.batch % team.size:
        raise TrainingError(f"workers: expected a number that divides the batch of {recipe.batch}, got {team.size}")


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


def _write(out: Path, network: DSR | Codec, version: Version, card: Mapping[str, Any], run: Run, *, golden: Callable[[Path, DSR], None] | None = None) -> None:
    """The version, and the end of the training's own folder."""
    whole = {**card, "config": version.config.to_dict(), "torch": torch.__version__}
    save(out, network, version, card=whole)
    if golden is not None and isinstance(network, DSR):
        golden(out, network)
    run.tracker.finish(whole)
    shutil.rmtree(run.folder, ignore_errors=True)
    log.info("wrote %s", out)


def _reported(report: StageReport, recipe: StageRecipe) -> dict[str, Any]:
    return {
        "steps": report.steps,
        "batch": recipe.batch,
        "learning_rate": recipe.learning_rate,
        "minutes": round(report.minutes, 1),
        "losses": {name: round(value, 5) for name, value in report.losses.items()},
        "best_step": report.best_step,
        "checks": [{name: round(value, 4) for name, value in check.items()} for check in report.checks],
        "gained_in_last_third": report.gained_lately,
    }
