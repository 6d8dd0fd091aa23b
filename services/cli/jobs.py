"""Jobs of the trainer that a verb asked for -> how they end, over the REST of a running stack."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.common import fail, rest

if TYPE_CHECKING:
    from services.contract.settings import Settings

LOOK_S = 2.0
OPEN = ("queued", "running")

Wait = Annotated[bool, typer.Option("--wait", help="Until it has ended; the exit status is 1 where it failed or was cancelled.")]


def ended(settings: "Settings", job: dict[str, Any]) -> dict[str, Any]:
    """The job once it is neither queued nor running."""
    while job["state"] in OPEN:
        time.sleep(LOOK_S)
        job = rest(settings, "GET", f"/jobs/{job['id']}")
    return job


def fail_unless_finished(job: dict[str, Any]) -> None:
    if job["state"] != "finished":
        fail(f"{job['id']}: {job['state']}")
