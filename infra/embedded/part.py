"""A part of the stack: how to start it, after whom, and how to tell that it serves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Ready = Callable[[], str | None]
"""None once the part serves, else what it still waits for, in a few words."""


def at_once() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    """Starts when these have served for the first time; those that run elsewhere count as serving."""
    ready: Ready = at_once
    ready_within_s: float = 120
    """Of a part that runs once: to end."""
    stop_within_s: float = 10
    runs_once: bool = False
    """Ends with 0 when its work is done, and starts again whenever one of `again_after` was restarted."""
    again_after: tuple[str, ...] = ()
