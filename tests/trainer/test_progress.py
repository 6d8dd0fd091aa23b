"""Where a training is, and its curve of losses, as whoever shows it reads them."""

from pathlib import Path

from services.trainer.progress import MOST_POINTS, Progress
from training.job_files import LOSSES, PROGRESS, read_json, write_json
from training.recipes import smoke
from training.tracking import SILENT


def test_a_step_is_told_with_all_its_losses_and_the_curve_has_the_total(tmp_path: Path) -> None:
    told = Progress(tmp_path, smoke(), SILENT)

    told.values("detection", 10, {"total": 0.5, "focal": 0.2})
    told.values("detection.check", 10, {"pixel_ap": 0.9})
    told.values("detection", 20, {"total": 0.4, "focal": 0.1})

    found = read_json(tmp_path / PROGRESS)
    assert (found["stage"], found["step"], found["steps"], found["losses"]) == ("detection", 20, smoke().detection.steps, {"total": 0.4, "focal": 0.1})
    assert read_json(tmp_path / LOSSES)["points"] == [["detection", 10, 0.5], ["detection", 20, 0.4]]


def test_one_that_goes_on_at_its_checkpoint_draws_what_came_after_it_anew(tmp_path: Path) -> None:
    before = Progress(tmp_path, smoke(), SILENT)
    for step in (10, 20, 30):
        before.values("detection", step, {"total": step / 100})

    Progress(tmp_path, smoke(), SILENT).values("detection", 20, {"total": 9.0})

    assert read_json(tmp_path / LOSSES)["points"] == [["detection", 10, 0.1], ["detection", 20, 9.0]]


def test_a_long_curve_is_thinned(tmp_path: Path) -> None:
    write_json(tmp_path / LOSSES, {"points": [["detection", step, 1.0] for step in range(MOST_POINTS)]})

    Progress(tmp_path, smoke(), SILENT).values("detection", MOST_POINTS, {"total": 1.0})

    points = read_json(tmp_path / LOSSES)["points"]
    assert [step for _, step, _ in points] == [*range(0, MOST_POINTS, 2), MOST_POINTS]
