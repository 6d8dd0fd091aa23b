"""A training on a machine that inspects too -> one that takes the processor only when nobody else wants it."""

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

LEAST = 19
"""Of niceness."""


def step_back() -> None:
    """This thread, and all that it starts from now on, runs when nothing of ordinary priority does; there is no way back.

    Linux: policy SCHED_IDLE, since Ray gives replicas and training workers the same niceness, and between them that decides nothing. Where
    the kernel groups processes by their session (autogroup), `step_back_as_session` is needed besides. Elsewhere: the least niceness.
    """
    try:
        if sys.platform == "linux":
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.nice(LEAST)
    except OSError as error:  # a container may forbid it: it learns all the same
        log.warning("priority: this training competes with inspection for the processor: %s", error)


def step_back_as_session() -> None:
    """The same for a process that leads a session of its own: the kernel weighs sessions against each other first, whatever is in them."""
    step_back()
    with suppress(OSError):  # no autogroups
        Path("/proc/self/autogroup").write_text(str(LEAST))
