"""`loupe calibrate`: fresh good pictures and a model version -> thresholds for a line; and what verbs about models share."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.common import fail, load_settings, print_json
from services.ingest.synthetic import KINDS

if TYPE_CHECKING:
    from models.registry import ModelVersion
    from training.calibration import LineCalibration
    from training.labelled import Sample

CALIBRATION_SEED = 20_011
"""Parts that neither trained (`loupe synthesize`: 1) nor are evaluated or streamed."""

Seed = Annotated[int, typer.Option(min=0)]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of torch; default: its own choice.")]
ReviewRate = Annotated[float, typer.Option(help="Share of good parts that may be shown to a person.")]
FailRate = Annotated[float, typer.Option(help="Share of good parts that may be rejected.")]


def calibrate(
    model: Annotated[str, typer.Option(help="Version folder, id, or name of a shipped model.")],
    data: Annotated[Path | None, typer.Option(help="Fresh good pictures: a plain folder, or train/good, of which the fifth that training leaves out.")] = None,
    synthetic: Annotated[str | None, typer.Option(help=f"Synthetic line: all, or one of {', '.join(KINDS)}.")] = None,
    frames: Annotated[int, typer.Option(min=1, help="Synthetic frames per line.")] = 400,
    seed: Seed = CALIBRATION_SEED,
    line: Annotated[str | None, typer.Option(help="Id of the line; default: the synthetic kind, or the folder's name.")] = None,
    every_picture: Annotated[bool, typer.Option("--all", help="The model has not learnt from this folder: take all of train/good.")] = False,
    review_rate: ReviewRate = 0.01,
    fail_rate: FailRate = 0.001,
    out: Annotated[Path | None, typer.Option(help="File to write; a folder where there are several lines.")] = None,
    suggest: Annotated[bool, typer.Option("--suggest", help="Write into the version's card (which makes it another version).")] = False,
    threads: Threads = None,
) -> None:
    """Two thresholds, and one for the map, from fresh good pictures of a line."""
    if (data is None) == (synthetic is None):
        fail("calibrate: expected either --data or --synthetic", 2)
    version = resolve_model(model)
    rates = f"--review-rate {review_rate:g} --fail-rate {fail_rate:g}"
    if synthetic is not None:
        sources, origin = _synthetic_sources(synthetic, frames, seed), f"--synthetic {synthetic} --frames {frames} --seed {seed}"
    else:
        folder = (data or Path()).resolve()
        sources, origin = {slug(folder.name): _fresh(folder, every_picture)}, f"--data {folder.name}{' --all' * every_picture}"
    if line is not None and len(sources) > 1:
        fail(f"--line: expected none with several lines, got {line!r}", 2)
    command = f"loupe calibrate --model {version.name} {origin} {rates}"
    with named_errors():
        results = calibrate_lines(version, sources, line=line, review_rate=review_rate, fail_rate=fail_rate, command=command, threads=threads)
        _keep(version, results, out, suggest=suggest)


def calibrate_lines(
    version: "ModelVersion",
    sources: dict[str, Iterable["Sample"]],
    *,
    line: str | None = None,
    review_rate: float = 0.01,
    fail_rate: float = 0.001,
    command: str,
    threads: int | None = None,
) -> list["LineCalibration"]:
    """One calibration for each source; says on standard error what each can promise."""
    from models.engine import Engine
    from models.registry import weights_hash
    from training.calibration import calibrate as calibrate_line
    from training.served import good_frames

    engine, weights = Engine.load(version.path, threads=threads), weights_hash(version.path)
    results = []
    for source, samples in sources.items():
        result = calibrate_line(
            good_frames(engine, samples),
            line=line or source,
            model_version=version.id,
            weights_sha256=weights,
            review_rate=review_rate,
            fail_rate=fail_rate,
            command=command,
        )
        typer.echo(_summary(result), err=True)
        results.append(result)
    return results


def slug(name: str) -> str:
    """A folder's name as the id of a line."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "line"


def synthetic_good(kind: str, frames: int, seed: int) -> Iterator["Sample"]:
    """Good frames as the demo's cameras send them; only good parts are imported."""
    from services.ingest.synthetic.parts import GoodParts
    from training.labelled import Sample

    parts = GoodParts(kind, seed)
    for index in range(frames):
        yield Sample(kind, "good", jpeg(parts.good(index).image), None, str(index))


def jpeg(pixels: Any) -> bytes:
    """As the synthetic camera encodes it."""
    import cv2

    from services.cli.synthesize import JPEG_QUALITY

    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(encoded)


def _synthetic_sources(synthetic: str, frames: int, seed: int) -> dict[str, Iterable["Sample"]]:
    kinds = KINDS if synthetic == "all" else (synthetic,)
    if not set(kinds) <= set(KINDS):
        fail(f"--synthetic: expected all or one of {', '.join(KINDS)}, got {synthetic!r}", 2)
    return {kind: synthetic_good(kind, frames, seed) for kind in kinds}


def _fresh(folder: Path, every_picture: bool) -> Iterable["Sample"]:
    from training.groups import kept_from_training
    from training.labelled import good_samples, is_training_folder

    return good_samples(folder, chosen=kept_from_training if is_training_folder(folder) and not every_picture else None)


def _keep(version: "ModelVersion", results: list["LineCalibration"], out: Path | None, *, suggest: bool) -> None:
    import json

    from training.card import suggest_in_card

    if suggest:
        if version.path.name == version.id:
            fail(f"{version.path}: a version in the registry never changes; write a file with --out and name it in loupe.toml")
        suggest_in_card(version.path, results)
    for result in results:
        path = out / f"{result.line}.json" if out is not None and len(results) > 1 else out
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result.to_dict(), indent=2) + "\n")
    if out is None and not suggest:
        print_json(results[0].to_dict() if len(results) == 1 else [result.to_dict() for result in results])


def _summary(result: "LineCalibration") -> str:
    review, fail_ = result.review, result.fail
    text = (
        f"{result.line}: review {review.value:.4f} (at most {review.promised:.2%} of good parts), fail {fail_.value:.4f} (at most {fail_.promised:.2%}), "
        f"map {result.map.value:.3f}; {result.groups} groups"
    )
    if review.kept and fail_.kept:
        return text
    from training.calibration import groups_needed

    return f"{text}; {review.rate:.2%} needs {groups_needed(review.rate)} groups, {fail_.rate:.2%} needs {groups_needed(fail_.rate)}"


def resolve_model(model: str) -> "ModelVersion":
    from models.registry import resolve

    with named_errors():
        return resolve(model, load_settings().models_path)


@contextmanager
def named_errors() -> Iterator[None]:
    """What a user can mend becomes one line on standard error."""
    from models.registry import RegistryError

    try:
        yield
    except (ValueError, RegistryError, OSError) as error:
        fail(error)
