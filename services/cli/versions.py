"""`loupe models import | export`: a model version from the authors' own files, and out of a version a file that other runtimes read."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.common import fail
from services.cli.models import named_errors

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


def _imported(out: Path, stages: tuple[str, ...]) -> str:
    if stages == ("codec",):
        return f"codec in {out}: `loupe train detector --codec {out} --recipe paper` goes on from it"
    maps = "" if "upsampling" in stages else "; no upsampling module was given, so its maps are the coarse ones"
    return f"detector in {out}{maps}; `loupe calibrate` gives it thresholds"
