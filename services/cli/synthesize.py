"""`loupe synthesize`: good frames of the procedural lines, as a folder to train and calibrate with.

Only `services.ingest.synthetic.parts` is imported, which knows good parts alone: no defect can get into what a detector learns from.
"""

from pathlib import Path
from typing import Annotated

import typer

from services.ingest.synthetic import KINDS

JPEG_QUALITY = 92


def synthesize(
    out: Annotated[Path, typer.Option(help="Folder to write <line>/train/good/*.jpg into.")],
    good: Annotated[int, typer.Option(min=1, help="Good frames per line.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other parts.")] = 1,
    line: Annotated[list[str] | None, typer.Option(help=f"Kind of line; again for more. One of {', '.join(KINDS)}; default: all.")] = None,
) -> None:
    """Write good frames of the synthetic lines in MVTec layout: what a new detector is trained on."""
    for kind in line or KINDS:
        if kind not in KINDS:
            raise typer.BadParameter(f"--line: expected one of {', '.join(KINDS)}, got {kind!r}")
        write_good(out / kind / "train" / "good", kind, count=good, seed=seed)
        typer.echo(f"{kind}: {good} good frames in {out / kind / 'train' / 'good'}", err=True)


def write_good(folder: Path, kind: str, *, count: int, seed: int) -> None:
    import cv2

    from services.ingest.synthetic.parts import GoodParts

    folder.mkdir(parents=True, exist_ok=True)
    parts = GoodParts(kind, seed)
    for index in range(count):
        _, jpeg = cv2.imencode(".jpg", parts.good(index).image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        (folder / f"{index:05}.jpg").write_bytes(jpeg.tobytes())
