"""A retraining's candidate -> the question how it would have decided its line's latest minutes, for the trainer to answer."""

from services.dashboard.errors import DashboardError
from services.dashboard.parts import Parts
from services.records.audit import Actor
from services.records.jobs import Job, JobKind, JobState, Trigger


class NotBacktestableError(DashboardError):
    """A job without a candidate that has thresholds of its own, or a line that nothing judges."""


def ask_backtest(parts: Parts, job_id: str, minutes: int, by: Actor) -> tuple[Job, bool]:
    """The line's open backtest, and whether it is a new one, for this candidate. Raises UnknownJobError, UnknownLineError, NotBacktestableError."""
    job = parts.jobs.job(job_id)
    calibration = job.result.get("calibration")
    if job.kind is not JobKind.RETRAIN or job.state is not JobState.FINISHED or calibration is None:
        raise NotBacktestableError(f"job {job.id}: expected a retraining that has finished, with thresholds for its candidate; it is a {job.kind}, {job.state}")
    active = parts.records.active(job.line)
    if active.model_version is None or active.calibration is None:
        raise NotBacktestableError(f"line {job.line}: expected a model that judges it, to compare the candidate with, got none")
    plan = {
        "job": job.id,
        "minutes": minutes,
        "candidate": job.result["candidate"],
        "review": calibration["review"],
        "champion": active.model_version,
        "champion_review": active.calibration.review,
    }
    return parts.jobs.ask(job.line, Trigger.CLICK, by, kind=JobKind.BACKTEST, plan=plan)
