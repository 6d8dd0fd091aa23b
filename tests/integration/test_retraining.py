"""On a real Ray, though the driver is killed on the way: a click becomes a candidate, and good frames a first model."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from infra.embedded.ray import RayNode
from models.registry import Registry, shipped
from services.contract.inspection import Calibration
from services.contract.settings import Settings
from services.ingest.synthetic.parts import GoodParts
from services.records.audit import Actor
from services.records.database import Database
from services.records.jobs import Job, JobKind, Jobs, JobState, Trigger
from services.records.migrations import migrate
from services.records.store import Records
from training.dataset_import import import_mvtec
from training.first_groups import in_groups
from training.job_files import PROGRESS, read_json
from training.line_datasets import LineDatasets

ROOT = Path(__file__).parents[2]
PATIENCE_S = 600
"""A training takes what others leave of the machine."""
ANNA = Actor("anna", "supervisor")
GOOD, DEFECTIVE = 40, 12
FRAMES = 24


def write_history(folder: Path) -> Path:
    """Good parts of a line that the shipped detector knows, and some with a dark spot."""
    parts = GoodParts("brushed-metal", 90_001)
    for number in range(GOOD):
        _write(folder / "test" / "good" / f"{number:03}.png", parts.good(number).image)
    for number in range(DEFECTIVE):
        pixels = parts.good(GOOD + number).image.copy()
        mask = np.zeros(pixels.shape[:2], np.uint8)
        cv2.circle(mask, (pixels.shape[1] // 3 + 9 * number, pixels.shape[0] // 2), pixels.shape[0] // 12, 255, -1)
        pixels[mask > 0] //= 3
        _write(folder / "test" / "spot" / f"{number:03}.png", pixels)
        _write(folder / "ground_truth" / "spot" / f"{number:03}_mask.png", mask)
    return folder


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(pixels))


def encoded(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    migrate(settings.records_url)
    database = Database(settings.records_url)
    yield database
    database.close()


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


@pytest.fixture
def datasets(settings: Settings, database: Database) -> Iterator[LineDatasets]:
    """Of one line, which nothing judges yet."""
    records = Records(settings.records_url)
    records.add_line("metal")
    yield LineDatasets.of(settings, database, records)
    records.close()


@pytest.fixture
def judged(settings: Settings, datasets: LineDatasets, tmp_path: Path) -> None:
    """By the shipped detector, and with a history."""
    records = Records(settings.records_url)
    champion = Registry(settings.models_path).add(shipped("demo"))
    records.add_calibration("metal", champion.id, Calibration(calibration_id="c", review=0.5, fail=0.9, map_threshold=0.5), {})
    records.activate("metal", champion.id, "c", by="test")
    records.close()
    history = import_mvtec(write_history(tmp_path / "history"), datasets.pictures, line="metal", given_at=datetime(2026, 1, 1, tzinfo=UTC))
    datasets.all.add_history("metal", history.verdicts)


@contextmanager
def trainer(settings: Settings, node: RayNode, log: Path) -> Iterator[psutil.Process]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LOUPE_")},
        **node.environment,
        "LOUPE_HOME": str(settings.home),
        "LOUPE_RAY__ADDRESS": node.address,
        "LOUPE_RETRAINING__BUDGET": "0.1",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    }
    with log.open("ab") as output:
        started = subprocess.Popen([sys.executable, "-m", "services.trainer"], cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield psutil.Process(started.pid)
    finally:
        started.terminate()
        started.wait(60)


@pytest.mark.usefixtures("judged")
def test_a_click_becomes_a_candidate_though_its_driver_is_killed(ray_cluster: RayNode, settings: Settings, jobs: Jobs, tmp_path: Path) -> None:
    asked, _ = jobs.ask("metal", Trigger.CLICK, ANNA)

    job = worked_off(ray_cluster, settings, jobs, asked, tmp_path / "trainer.log", killed_in="upsampling")

    assert job.attempts == 1  # the trainer itself went on
    assert "detection: resuming at step 40" in workers_said(ray_cluster)
    registry = Registry(settings.models_path)
    candidate = registry.fetch(job.result["candidate"])
    assert (candidate.card["parent"], candidate.card["dataset"]) == (job.plan["champion"], job.plan["dataset"])
    assert candidate.card["defects"]["spot"] > 0
    assert job.result["gate"]["answer"] == "insufficient evidence"  # so few groups promise nothing, and it says so
    assert any("the rule asks for" in reason for reason in job.result["gate"]["reasons"])
    assert job.result["gate"]["measures"]["image_auroc"]["candidate"] is not None


def test_good_frames_become_a_first_model_though_its_driver_is_killed(
    ray_cluster: RayNode, settings: Settings, jobs: Jobs, datasets: LineDatasets, tmp_path: Path
) -> None:
    parts = GoodParts("brushed-metal", 90_002)
    good = {datasets.pictures.put("frames", encoded(parts.good(number).image)): f"part-{number}" for number in range(FRAMES)}
    codec = Registry(settings.models_path).add(shipped("codec"))
    plan = {"frames": in_groups(good), "codec": codec.id, "recipe": "smoke", "budget": 0.1, "seed": 0, "review_rate": 0.2, "fail_rate": 0.1}
    asked, _ = jobs.ask("metal", Trigger.CLICK, ANNA, kind=JobKind.FIRST, plan=plan)

    job = worked_off(ray_cluster, settings, jobs, asked, tmp_path / "trainer.log", killed_in="detection")

    assert "objects: resuming at step 50" in workers_said(ray_cluster)
    model = Registry(settings.models_path).fetch(job.result["candidate"])
    assert (model.card["line"], model.card["first_training"]) == ("metal", job.id)
    assert model.card["frames"]["pictures"] == FRAMES
    assert job.result["teaching"] + job.result["calibrating"] == FRAMES
    assert model.suggested_calibration("metal") == job.result["calibration"]


def worked_off(node: RayNode, settings: Settings, jobs: Jobs, asked: Job, log: Path, *, killed_in: str) -> Job:
    """The job, finished by a trainer whose driver was killed in this stage."""
    told = settings.retraining_path / asked.id / PROGRESS  # the job shows it beats later, when the stage may have passed
    with trainer(settings, node, log) as process:
        wait_for(lambda: read_json(told).get("stage") == killed_in, jobs, asked, log)
        [driver] = process.children()
        driver.kill()
        wait_for(lambda: not jobs.job(asked.id).state.open, jobs, asked, log)
    job = jobs.job(asked.id)
    assert (job.state, job.error) == (JobState.FINISHED, None)
    assert "ended by signal 9, the 1. time" in log.read_text()
    return job


def workers_said(node: RayNode) -> str:
    return "".join(path.read_text(errors="replace") for path in (node.temp_folder / "session_latest" / "logs").glob("worker-*.err"))


def wait_for(condition: Callable[[], bool], jobs: Jobs, job: Job, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        found = jobs.job(job.id)
        assert found.state.open or condition(), f"{found.state}: {found.error}"
        assert time.monotonic() < deadline, f"after {PATIENCE_S} s still {found}:\n{log.read_text()[-3000:]}"
        time.sleep(0.1)
