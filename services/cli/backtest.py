"""`loupe models backtest`: how a retraining's candidate would have decided a line's latest minutes, over the REST of a running stack."""

from typing import Annotated, Any

import typer

from services.cli.common import Json, load_settings, print_json, rest
from services.cli.jobs import Wait, ended, fail_unless_finished
from services.cli.promotion import Line, candidate_job

SHOWN = 10


def backtest(
    line: Line,
    minutes: Annotated[int, typer.Option(min=1, max=60, help="How far back, as far as Kafka still has the frames.")] = 15,
    job: Annotated[str | None, typer.Option(help="The retraining whose candidate is meant; none: the line's latest that finished.")] = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Judge a line's latest frames again with a candidate, and compare with how they were decided."""
    settings = load_settings()
    found = rest(settings, "POST", f"/jobs/{job or candidate_job(settings, line)}/backtest", json={"minutes": minutes})
    if wait:
        found = ended(settings, found)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if wait:
        fail_unless_finished(found)


def _show(job: dict[str, Any]) -> None:
    typer.echo(f"{job['id']}: {job['state']}{', this one was open already' if job.get('joined') else ''}{', ' + job['error'] if job['error'] else ''}")
    result = job["result"]
    if not result:
        return
    agreement = "–" if result["agreement"] is None else f"{result['agreement']:.1%}"
    moved = f"{result['newly_flagged']} newly flagged, {result['no_longer_flagged']} no longer"
    typer.echo(f"{result['frames']} of {result['in_kafka']} frames judged anew, {result['expired']} no longer in Kafka: {agreement} as before, {moved}")
    for camera, counts in result["by_camera"].items():
        typer.echo(f"  {camera}: {counts['frames']} frames, {counts['newly_flagged']} newly flagged, {counts['no_longer_flagged']} no longer")
    for change in result["changes"][:SHOWN]:
        typer.echo(f"  {change['frame_id']}: {change['before']:.4f} -> {change['after']:.4f}, {'now flagged' if change['flagged'] else 'no longer flagged'}")
