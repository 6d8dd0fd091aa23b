"""Work on a machine that inspects too -> work that takes the processor only when nobody else wants it."""

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

    Linux: policy SCHED_IDLE, since Ray gives replicas and training workers the same niceness, which decides nothing between them. Where
    the kernel groups processes by their session (autogroup), `step_back_as_session` is needed besides. Other systems know no such thing of a thread.
    """
    if sys.platform != "linux":
        return
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except OSError as error:  # a container may forbid it: the work is done all the same
        log.warning("priority: what runs beside inspection here competes with it for the processor: %s", error)


def step_back_as_session() -> None:
    """The same for a whole process, which leads a session of its own from here on: the kernel weighs sessions against each other first, whatever is in them."""
    step_back()
    with suppress(OSError):  # no autogroups, or no session of its own: whatever else is in this one must not step back
        _lead_session()
        Path("/proc/self/autogroup").write_text(str(LEAST))


def _lead_session() -> None:
    """Ray's workers lead process groups, and only who leads none can lead a session."""
    if os.getsid(0) != os.getpid():
        os.setpgid(0, os.getpgid(os.getppid()))
        os.setsid()
