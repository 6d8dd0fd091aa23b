"""One part alone, started and ended around a block: what tests and benchmarks need of the stack."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.embedded.part import Part
from infra.embedded.process import RunningProcess

POLL_S = 0.1


class PartFailedError(RuntimeError):
    """A part that did not come up; the message ends with the last lines of its log."""


@contextmanager
def running(part: Part, logs: Path) -> Iterator[RunningProcess]:
    process = RunningProcess(part.command, environment=part.environment, log_path=logs / f"{part.name}.log")
    try:
        wait_until_ready(part, process)
        yield process
    finally:
        process.stop(part.stop_within_s)


def wait_until_ready(part: Part, process: RunningProcess) -> None:
    """Raises PartFailedError when it ends first, or needs longer than it may."""
    deadline = time.monotonic() + part.ready_within_s
    while (waiting_for := part.ready()) is not None:
        if process.exit_code is not None:
            raise PartFailedError(_explained(f"{part.name}: ended with {process.exit_code} before it served", process))
        if time.monotonic() > deadline:
            raise PartFailedError(_explained(f"{part.name}: after {part.ready_within_s:g} s still waiting for {waiting_for}", process))
        time.sleep(POLL_S)


def _explained(what: str, process: RunningProcess) -> str:
    return "\n".join([what, *(f"    {line}" for line in process.log.last_lines())])
