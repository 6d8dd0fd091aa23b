"""`loupe train codec | detector`: good pictures, and real defects where there are any -> a model version with its thresholds."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from services.cli.common import fail, load_settings
from services.cli.models import Seed, Threads, calibrate_lines, named_errors, resolve_model, slug

if TYPE_CHECKING:
    from services.contract.settings import Settings
    from training.tracking import Tracker

Data = Annotated[list[Path], typer.Option("--data", help="Folder of good pictures: MVTec layout (train/good) or plain; again for more.")]
RecipeName = Annotated[str, typer.Option(help="smoke (minutes), small (an hour of two cores), taught (minutes more, with real defects) or paper (a GPU).")]
Budget = Annotated[float | None, typer.Option(help="Share of the recipe's steps, where time is short.")]
Out = Annotated[Path, typer.Option(help="Folder of the model version to write.")]
Name = Annotated[str | None, typer.Option(help="Name on the model card; default: the folder's.")]
WorkerNumber = Annotated[int, typer.Option("--workers", min=1, help="Processes that share each batch, by Ray Train: one a GPU where there are some.")]
Track = Annotated[bool, typer.Option("--track/--no-track", help="Record losses and samples in MLflow.")]

app = typer.Typer(name="train", help="Teach a codec or a detector.", no_args_is_help=True)


@app.command()
def codec(
    data: Data,
    out: Out,
    recipe: RecipeName = "small",
    name: Name = None,
    start: Annotated[Path | None, typer.Option(help="Codec or detector that learnt before, to go on from.")] = None,
    seed: Seed = 0,
    threads: Threads = None,
    workers: WorkerNumber = 1,
    track: Track = True,
) -> None:
    """Stage 1: learn to draw pictures of anything. Needed once; detectors start from it."""
    from training.recipes import recipe as recipe_named
    from training.stages import train_codec

    _prepare(threads)
    command = _command("codec", data, recipe, out, seed, start=start)
    with named_errors():
        work = partial(
            train_codec,
            _absolute(data),
            recipe_named(recipe),
            out.absolute(),
            name=name or out.name,
            start=start and start.absolute(),
            seed=seed,
            command=command,
        )
        _run(work, workers, out, track=track)
    typer.echo(f"codec in {out}", err=True)


@app.command()
def detector(
    data: Data,
    out: Out,
    recipe: RecipeName = "small",
    codec: Annotated[str | None, typer.Option(help="Start from this codec alone (folder, or name of a shipped one), whatever else it has learnt.")] = None,
    start: Annotated[str, typer.Option(help="Start from all that this detector has learnt (folder, id, or name of a shipped one).")] = "demo",
    defects: Annotated[list[Path] | None, typer.Option(help="MVTec folder whose test defects, with their masks, are learnt too; again for more.")] = None,
    groups: Annotated[Path | None, typer.Option(help="File of groups, one a line: only defects of these are learnt.")] = None,
    side: Annotated[int | None, typer.Option(help="Side of the network's input; default: the recipe's.")] = None,
    rotation: Annotated[float | None, typer.Option(min=0, max=1, help="Share of good parts turned by any angle; default: the recipe's.")] = None,
    flips: Annotated[bool | None, typer.Option("--flips/--no-flips", help="Whether parts lie in any of eight ways; default: the recipe's.")] = None,
    similarity: Annotated[Literal["paper", "authors"] | None, typer.Option(help="How near to the right code a synthetic defect may be.")] = None,
    budget: Budget = None,
    name: Name = None,
    seed: Seed = 0,
    threads: Threads = None,
    workers: WorkerNumber = 1,
    track: Track = True,
) -> None:
    """Stages 2 and 3: learn from good parts what is not one, then calibrate with the fifth of them that was left out."""
    from training.groups import kept_from_training
    from training.recipes import changed
    from training.recipes import recipe as recipe_named
    from training.stages import train_detector

    _prepare(threads)
    changes: dict[str, Any] = {"side": side, "rotation": rotation, "flips": flips, "similarity": similarity, "budget": budget}
    options = {"codec": codec, "start": None if codec else start, **changes, "groups": groups and groups.name}
    command = _command("detector", data, recipe, out, seed, defects=defects, **options)
    with named_errors():
        plan = changed(recipe_named(recipe), **changes)
        work = partial(
            train_detector,
            _absolute(data),
            plan,
            out.absolute(),
            start=resolve_model(codec or start).path.absolute(),
            codec_only=codec is not None,
            name=name or out.name,
            seed=seed,
            command=command,
            left_out=kept_from_training,
            defects=_chosen_defects(_absolute(defects or []), groups),
        )
        _run(work, workers, out, track=track)
        _suggest_for(data, out, command)
    typer.echo(f"detector in {out}", err=True)


def _run(work: Callable[..., Path], workers: int, out: Path, *, track: bool) -> None:
    """Here, or on several workers: of the running stack's Ray, else of one of our own."""
    settings = load_settings()  # a running stack's token comes with it, before Ray is imported
    tracker = tracking(settings) if track else _untracked
    if workers == 1:
        from training.stages import Means

        work(means=Means(track=tracker))
        return
    import ray
    import torch

    from training.distributed import Workers, train_on

    ray.init(address=settings.ray.address, log_to_driver=True)
    train_on(Workers(workers, use_gpu=torch.cuda.is_available()), work, name=out.name, storage=settings.home.absolute() / "training", track=tracker)


def _absolute(folders: list[Path]) -> list[Path]:
    """Workers have a working folder of their own."""
    return [folder.absolute() for folder in folders]


def _chosen_defects(folders: list[Path], groups: Path | None) -> list[Path]:
    from training.groups import group_of, read_groups
    from training.labelled import defective_pictures

    if groups is None:
        return [path for folder in folders for path in defective_pictures(folder)]
    if not folders:
        fail("--groups: expected --defects beside it", 2)
    wanted = read_groups(groups)
    return [path for folder in folders for path in defective_pictures(folder, chosen=lambda path: group_of(path) in wanted)]


def _suggest_for(data: list[Path], out: Path, command: str) -> None:
    """Calibrates the lines that a detector was just made for, with what it did not learn from."""
    from models.registry import read_version
    from training.card import suggest_in_card
    from training.groups import kept_from_training
    from training.labelled import good_samples

    sources = {slug(folder.resolve().name): tuple(good_samples(folder, chosen=kept_from_training)) for folder in data}
    for line in [line for line, samples in sources.items() if not samples]:
        typer.echo(f"{line}: too few pictures to leave some out; run `loupe calibrate` with fresh ones", err=True)
        del sources[line]
    suggest_in_card(out, calibrate_lines(read_version(out), dict(sources), command=command))


def tracking(settings: "Settings") -> Callable[[str, Path, Mapping[str, Any]], "Tracker"]:
    """Name of a run, its folder and its facts -> its tracker, wherever it is called: a worker has another working folder and other settings."""
    settings.home.mkdir(parents=True, exist_ok=True)
    from training.tracking import mlflow_tracker

    return partial(mlflow_tracker, settings.mlflow_uri, settings.mlflow_artifacts)


def _untracked(name: str, folder: Path, facts: Mapping[str, Any]) -> "Tracker":
    from training.tracking import SILENT

    return SILENT


def _prepare(threads: int | None) -> None:
    """The stages' own log lines are the progress: step, losses, time left."""
    import torch

    from services.contract.logs import configure_logging

    configure_logging("train")
    if threads is not None:
        torch.set_num_threads(threads)


def _command(verb: str, data: list[Path], recipe: str, out: Path, seed: int, *, defects: list[Path] | None = None, **options: Any) -> str:
    """For the card: names, not the paths of this machine."""
    folders = [f"--data {folder.resolve().name}" for folder in data] + [f"--defects {folder.resolve().name}" for folder in defects or []]
    given = [_option(name, value) for name, value in options.items() if value is not None]
    return " ".join(["loupe train", verb, *folders, *given, f"--recipe {recipe} --out {out.name} --seed {seed}"])


def _option(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{'' if value else 'no-'}{name}"
    return f"--{name} {Path(value).name if isinstance(value, Path | str) else value}"
