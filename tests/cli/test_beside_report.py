"""Frames before and during a training become a report: by how much they wait longer, and how many wait at once."""

from datetime import timedelta

from services.cli.measuring.beside import BesideReport, Phase, report
from services.contract.inspection import Inspection
from services.records.jobs import Job, JobKind, JobState, Trigger
from tests.builders import CAPTURED_AT, make_inspection

BEFORE = Phase(CAPTURED_AT, CAPTURED_AT + timedelta(seconds=10))
DURING = Phase(CAPTURED_AT + timedelta(seconds=20), CAPTURED_AT + timedelta(seconds=30))


def inspected(sequence: int, latency_ms: float) -> Inspection:
    made = make_inspection(sequence)
    timings = made.timings.model_copy(update={"written_at": made.timings.captured_at + timedelta(milliseconds=latency_ms)})
    return made.model_copy(update={"timings": timings})


def job(state: JobState) -> Job:
    progress = {"stage": "detection", "step": 30, "steps": 400, "steps_per_s": 0.75}
    return Job("j", "metal", JobKind.RETRAIN, Trigger.CLICK, state, "bench", CAPTURED_AT, 1, CAPTURED_AT, None, None, {}, progress, {}, None)


def reported(*inspections: Inspection, state: JobState = JobState.RUNNING) -> BesideReport:
    sent = [make_inspection(number).frame_id for number in range(30)]
    return report(sent, inspections, BEFORE, DURING, job(state), capacity=2.0, own_stack=True)


def test_latency_and_waiting_frames_are_told_for_each_phase() -> None:
    """A frame a second; beside the training each takes two and a half."""
    found = reported(*(inspected(number, 100 if number < 20 else 2500) for number in range(30)))

    assert (found.p95_before_ms, found.p95_during_ms, found.p95_ratio) == (100, 2500, 25)
    assert (found.most_waiting_before, found.most_waiting_during, found.waiting_at_end) == (1, 3, 2)
    assert (found.frames_before, found.frames_during, found.load) == (10, 10, 0.5)
    assert (found.lost, found.double, found.training, found.training_steps_per_s) == (0, 0, "detection 30/400", 0.75)


def test_what_is_missing_or_twice_there_is_counted_and_a_training_that_ended_says_so() -> None:
    found = reported(*(inspected(number, 100) for number in (*range(28), 3)), state=JobState.FINISHED)

    assert (found.lost, found.double, found.training) == (2, 1, "finished")
