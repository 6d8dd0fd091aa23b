"""Good frames of a line without a model -> its first model: taught from a codec, with thresholds from parts that taught it nothing.

Whatever is done lies in the training's folder and is passed over when it is there, so that one that was killed goes on under its name.
"""

import csv
import hashlib
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from models.checkpoint import VERSION
from models.engine import Engine
from models.registry import ModelVersion, Registry, read_version, weights_hash
from training.calibration import LineCalibration, calibrate
from training.card import add_to_card, suggest_in_card
from training.dataset_version import PictureStore
from training.first_groups import LEAST_GROUPS, Groups, check_groups
from training.labelled import good_samples
from training.likeness import Picture, find_alike, fingerprint_of, grouped
from training.mvtec_export import CALIBRATION, new_folder, suffix_of
from training.recipes import Recipe
from training.retrain import Train
from training.served import good_frames
from training.stages import train_detector

log = logging.getLogger(__name__)

CALIBRATING = 0.2
"""Share of the pictures that teach nothing, in whole groups: thresholds are drawn from them."""


@dataclass(frozen=True, slots=True)
class FirstTraining:
    """All that a first training goes by. The same one again, after a kill, goes on where it was."""

    name: str
    """Of its run, wherever it is recorded."""
    line: str
    folder: Path
    """Its own, which every worker reaches."""
    frames: Groups
    store: PictureStore
    codec: ModelVersion
    recipe: Recipe
    seed: int = 0
    review_rate: float = 0.01
    fail_rate: float = 0.001


def first_training(work: FirstTraining, registry: Registry, train: Train) -> dict[str, Any]:
    """What came of it: the version's id in the registry, its calibration, how many pictures taught and calibrated, and which look unlike the others."""
    pictures = _laid_out(work)
    taught = _taught(work, pictures, train)
    if "first_training" not in read_version(taught).card:
        _complete(work, pictures, taught)
    version = registry.add(taught)
    calibration = version.suggested_calibration(work.line)
    assert calibration is not None
    teaching = sum(version.card["data"].values())
    log.info("%s: version %s from %d pictures, thresholds from %d groups", work.name, version.id[:12], teaching, calibration["groups"])
    doubted = [Path(name).stem for name in version.card["doubted"]]
    return {"candidate": version.id, "calibration": calibration, "teaching": teaching, "calibrating": calibration["frames"], "doubted": doubted}


def _taught(work: FirstTraining, pictures: Path, train: Train) -> Path:
    """The version's folder, before it has thresholds."""
    out, unfinished = work.folder / "candidate", work.folder / ".candidate.training"
    if (out / VERSION).is_file() and not unfinished.exists():
        return out
    command = f"loupe line train {work.line}"
    lesson = partial(train_detector, [pictures], work.recipe, out, start=work.codec.path, name=work.line, codec_only=True, seed=work.seed, command=command)
    train(lesson)
    return out


def _complete(work: FirstTraining, pictures: Path, taught: Path) -> None:
    """The card, once: another calibration of the same frames would be another version."""
    suggest_in_card(taught, [_calibrated(work, pictures, taught)])
    told = hashlib.sha256("\n".join(path for paths in work.frames.values() for path in paths).encode()).hexdigest()
    add_to_card(taught, {"line": work.line, "first_training": work.name, "frames": {"pictures": sum(map(len, work.frames.values())), "sha256": told}})


def _calibrated(work: FirstTraining, pictures: Path, taught: Path) -> LineCalibration:
    return calibrate(
        good_frames(Engine.load(taught), good_samples(pictures / CALIBRATION)),
        line=work.line,
        model_version="",  # named by what the registry makes of the card that this goes into
        weights_sha256=weights_hash(taught),
        review_rate=work.review_rate,
        fail_rate=work.fail_rate,
        command=f"loupe line train {work.line}",
    )


def _laid_out(work: FirstTraining) -> Path:
    """Pictures that teach, and beside them, as a product of their own, those that calibrate; whoever looks sees all of it or nothing."""
    out = work.folder / "pictures"
    if out.is_dir():
        return out
    images = {path: work.store.get(path) for paths in work.frames.values() for path in paths}
    groups = _joined(work.frames, images)
    check_groups(groups)
    calibrating = _calibrating(work.line, groups)
    with new_folder(out) as folder:
        _write(folder, {group: paths for group, paths in groups.items() if group not in calibrating}, images)
        _write(folder / CALIBRATION, {group: paths for group, paths in groups.items() if group in calibrating}, images)
    return out


def _joined(frames: Groups, images: Mapping[str, bytes]) -> Groups:
    """Groups that show the same, as far as anybody can see, are one: half of a part learnt and half measured would measure the memory.

    Where that makes one of nearly all, as of parts that repeat themselves, looks do not tell parts apart, and what the frames said counts.
    """
    named = {path: group for group, paths in frames.items() for path in paths}
    alike = find_alike([Picture(path, group, fingerprint_of(images[path])) for path, group in named.items()])
    leader = grouped(frames.keys(), [(named[one], named[other]) for one, other in alike.pairs])
    joined: defaultdict[str, list[str]] = defaultdict(list)
    for group, paths in frames.items():
        joined[leader[group]] += paths
    return joined if len(joined) >= LEAST_GROUPS else frames


def _calibrating(line: str, groups: Groups) -> frozenset[str]:
    """By a hash, so that nobody can choose, as long as they hold no more than their share of the pictures: a group that alone holds more teaches."""
    left, chosen = CALIBRATING * sum(map(len, groups.values())), []
    for group in sorted(groups, key=lambda group: hashlib.sha256(f"{line}\0{group}".encode()).digest()):
        if len(groups[group]) <= left:
            chosen.append(group)
            left -= len(groups[group])
    return frozenset(chosen)


def _write(product: Path, groups: Groups, images: Mapping[str, bytes]) -> None:
    good = product / "train" / "good"
    good.mkdir(parents=True)
    rows = [(path, f"train/good/{path.rpartition('/')[2]}{suffix_of(images[path])}", group) for group, paths in groups.items() for path in paths]
    for path, name, _ in rows:
        (product / name).write_bytes(images[path])
    with (product / "groups.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "group"), *((name, group) for _, name, group in rows)])
