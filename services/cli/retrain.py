"""`loupe retrain`: asks for a line's model to be taught anew, and says how it goes, over the REST of a running stack."""

from typing import Annotated, Any

import typer

from services.cli.common import Json, load_settings, print_json, rest
from services.cli.jobs import OPEN, Wait, ended, fail_unless_finished


def retrain(
    line: Annotated[str | None, typer.Argument(help="Whose model; none: show the latest retrainings.")] = None,
    wait: Wait = False,
    cancel: Annotated[str | None, typer.Option(help="End this job instead.")] = None,
    as_json: Json = False,
) -> None:
    """Teach a line's model with what people said of its frames; the gate then compares the two."""
    settings = load_settings()
    if cancel is not None:
        found = [rest(settings, "POST", f"/jobs/{cancel}/cancel")]
    elif line is None:
        found = rest(settings, "GET", "/jobs")
    else:
        asked = rest(settings, "POST", f"/lines/{line}/retrain")
        found = [ended(settings, asked) if wait else asked]
    if as_json:
        print_json(found if line is None and cancel is None else found[0])
    else:
        for job in found:
            typer.echo(_told(job))
    if wait:
        fail_unless_finished(found[0])


def _told(job: dict[str, Any]) -> str:
    words = [f"{job['id']}: {job['state']}, asked for by {job['asked_by']}"]
    if job.get("joined"):
        words.append("this one was open already")
    if job["state"] in OPEN and job["progress"]:
        words.append(f"{job['progress']['stage']} {job['progress']['step']}/{job['progress']['steps']}")
    elif job["state"] == "running":
        words.append("waits for pictures or a free worker")
    if "gate" in job["result"]:
        gate = job["result"]["gate"]
        words.append(f"candidate {job['result']['candidate'][:12]}, gate: {gate['answer']} ({'; '.join(gate['reasons'])})")
    if job["error"]:
        words.append(job["error"])
    return ", ".join(words)
