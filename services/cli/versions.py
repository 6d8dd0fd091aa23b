"""`loupe models import | export`: a model version from the authors' own files, and out of a version a file that other runtimes read."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.common import fail, print_json
from services.cli.models import Threads, named_errors, resolve_model

app = typer.Typer(name="models", help="Model versions from elsewhere, and for elsewhere.", no_args_is_help=True)

PartFile = Annotated[Path | None, typer.Option(help="This part's file, where the folder has it under another name.", dir_okay=False)]


@app.command("import")
def import_(
    codec: Annotated[Path, typer.Option(help="Stage 1 of the authors' code: vq_model_pretrained_128_4096.pckl.")],
    out: Annotated[Path, typer.Option(help="Folder of the model version to write.")],
    parts: Annotated[Path | None, typer.Option(help="Folder with an object's five state dicts; without, only the codec is imported.")] = None,
    item: Annotated[str | None, typer.Option("--object", help="Which object, where the folder holds several.")] = None,
    restriction_lo: PartFile = None,
    restriction_hi: PartFile = None,
    object_decoder: PartFile = None,
    detection: PartFile = None,
    upsampling: PartFile = None,
    name: Annotated[str | None, typer.Option(help="Name on the model card; default: the folder's.")] = None,
) -> None:
    """A version from the files of the authors' code (VitjanZ/DSR_anomaly_detection), pickles read without running anything in them."""
    from models.authors import find_parts, import_version

    given = {
        "restriction_lo": restriction_lo,
        "restriction_hi": restriction_hi,
        "object_decoder": object_decoder,
        "detection": detection,
        "upsampling": upsampling,
    }
    if item is not None and parts is None:
        fail("--object: expected --parts beside it", 2)
    with named_errors():
        found = find_parts(parts, item) if parts is not None else {}
        stages = import_version(codec, {**found, **{part: path for part, path in given.items() if path is not None}}, out, name=name or out.name)
    typer.echo(_imported(out, stages), err=True)


@app.command()
def export(
    model: Annotated[str, typer.Option(help="Version folder, id, or name of a shipped model.")],
    out: Annotated[Path, typer.Option(help="File to write, .onnx.")],
    score_only: Annotated[bool, typer.Option("--score-only", help="Score and coarse map alone: six tenths of the work.")] = False,
    threads: Threads = None,
) -> None:
    """An ONNX file for other runtimes, compared with PyTorch before it is there; prints how well they agree."""
    import torch

    from models.export import export_onnx

    if threads is not None:
        torch.set_num_threads(threads)
    version = resolve_model(model)
    with named_errors():
        parity = export_onnx(version.path, out, score_only=score_only)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB, answers as {version.name} does over {parity.frames} frames", err=True)
    print_json(parity.to_dict())


def _imported(out: Path, stages: tuple[str, ...]) -> str:
    if stages == ("codec",):
        return f"codec in {out}: `loupe train detector --codec {out} --recipe paper` goes on from it"
    maps = "" if "upsampling" in stages else "; no upsampling module was given, so its maps are the coarse ones"
    return f"detector in {out}{maps}; `loupe calibrate` gives it thresholds"
