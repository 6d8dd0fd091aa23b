"""A process that is asked to end, by SIGTERM or Ctrl-C -> an event that its loops look at."""

import signal
import threading


def stop_event() -> threading.Event:
    """Once, in a `__main__`: set by the first such signal."""
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stop.set())
    return stop
