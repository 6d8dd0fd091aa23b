"""Processes of a stack -> CPU seconds by what they do, as differences of two readings."""

import contextlib
import re
from collections import defaultdict
from collections.abc import Mapping

import psutil

Reading = dict[tuple[int, float], tuple[str, float]]
"""(pid, start time) -> name, CPU seconds so far."""

REPLICA = re.compile(r"ray::ServeReplica:(?P<application>[^:]+):(?P<deployment>\w+)")
RAY_PARTS = {"raylet": "raylet", "gcs_server": "gcs"}


class CpuMeter:
    """Reads the families of some processes. Below `ray`, replicas of our application are named by their deployment."""

    def __init__(self, roots: Mapping[str, int], application: str) -> None:
        self._roots, self._application = dict(roots), application

    def read(self) -> Reading:
        reading: Reading = {}
        for name, pid in self._roots.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                root = psutil.Process(pid)
                for process in (root, *root.children(recursive=True)):
                    self._add(reading, name, process)
        return reading

    def _add(self, reading: Reading, root: str, process: psutil.Process) -> None:
        with contextlib.suppress(psutil.Error):  # ended meanwhile
            times = process.cpu_times()
            name = ray_name(process.cmdline(), process.name(), self._application) if root == "ray" else root
            reading[process.pid, process.create_time()] = (name, times.user + times.system)


def ray_name(command: list[str], process: str, application: str) -> str:
    """Ray's workers write what they are where their command was."""
    title = command[0] if command else process
    replica = REPLICA.match(title)
    if replica:
        return replica["deployment"] if replica["application"] == application else "other applications"
    if title.startswith("ray::ServeController"):
        return "Serve controller"
    return RAY_PARTS.get(process, "ray, the rest")


def spent(before: Reading, after: Reading) -> dict[str, float]:
    """CPU seconds by name, the largest first. Processes that ended in between are not seen."""
    seconds: dict[str, float] = defaultdict(float)
    for key, (name, total) in after.items():
        seconds[name] += total - before.get(key, ("", 0.0))[1]
    return dict(sorted(seconds.items(), key=lambda one: -one[1]))
