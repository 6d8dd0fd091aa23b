"""What a job of the trainer left for people to look at: its curve of losses, the end of its log, pictures of frames that two models decide differently.

A job's files are where the trainer works; a dashboard on another machine without that folder has none of them, and says so.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from services.dashboard.errors import DashboardError, PictureGoneError
from services.dashboard.parts import Parts
from services.dashboard.pictures import Image, shrunk
from services.records.jobs import Job
from training.dataset_version import DatasetError, read_picture
from training.job_files import LOG, LOSSES, read_json

TAIL_BYTES = 16_000
WIDTH = 480


class ElsewhereError(DashboardError):
    """The job's folder is not on this machine."""


def curve(parts: Parts, job: Job) -> list[tuple[str, int, float]]:
    """Stage, step and total loss, as the training went. Raises ElsewhereError."""
    return [(stage, step, loss) for stage, step, loss in read_json(_folder(parts, job) / LOSSES).get("points", [])]


def log_tail(parts: Parts, job: Job) -> list[str]:
    """Its last lines. Raises ElsewhereError."""
    path = _folder(parts, job) / LOG
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES)
            file.seek(start)
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return lines[1:] if start else lines


def changed_picture(parts: Parts, job: Job, number: int, user: str) -> Image:
    """Of the frame that stands there in the report as this person may see it. Raises PictureGoneError."""
    changes = as_seen(parts, [job], user)[0].get("gate", {}).get("changes", [])
    try:
        frame, dataset = changes[number]["frame_id"], parts.datasets.all.fetch(job.plan["dataset"])
        row = next(row for row in dataset.rows if row.frame_id == frame)
        return shrunk(read_picture(parts.datasets.pictures, row), WIDTH)
    except (IndexError, KeyError, StopIteration, DatasetError, OSError) as error:
        raise PictureGoneError(f"job {job.id}: no picture of change {number} ({error})") from error


def as_seen(parts: Parts, jobs: Collection[Job], user: str) -> list[dict[str, Any]]:
    """Their results without the frames that this person has yet to answer blind. Raises RecordsError."""
    hidden = parts.disclosure.hidden(user, {frame for job in jobs for frame in _named(job.result)})
    return [_without(job.result, hidden) for job in jobs]


def _named(result: dict[str, Any]) -> list[str]:
    """Frames that a backtest's result or a gate's report names."""
    gate = result.get("gate") or {}
    changes = [*result.get("changes", ()), *gate.get("changes", ())]
    return [*(change["frame_id"] for change in changes), *(frame for name in ("lost", "won") for frame in gate.get("recall", {}).get(name, ()))]


def _without(result: dict[str, Any], hidden: Collection[str]) -> dict[str, Any]:
    if "changes" in result:  # a backtest's
        return {**result, "changes": [change for change in result["changes"] if change["frame_id"] not in hidden]}
    gate = result.get("gate")
    if not gate or "changes" not in gate:
        return result
    recall = {**gate["recall"], **{name: [frame for frame in gate["recall"][name] if frame not in hidden] for name in ("lost", "won")}}
    changes = [change for change in gate["changes"] if change["frame_id"] not in hidden]
    return {**result, "gate": {**gate, "recall": recall, "changes": changes}}


def _folder(parts: Parts, job: Job) -> Path:
    folder = parts.settings.retraining_path
    if not folder.is_dir():
        raise ElsewhereError(f"job {job.id}: its files are not on this machine; {folder} is where the trainer would keep them")
    return folder / job.id
