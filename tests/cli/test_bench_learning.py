"""The experiment with verdicts: each number beside the control, a stopped one goes on, and answers at the review desk become what a dataset teaches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.cli.bench_learning import base_of
from services.cli.measuring.learning import Retrained, measure
from services.cli.measuring.plant import plant_of, taught_by
from services.cli.measuring.supervised import Split as Halves
from services.cli.measuring.supervised import Trial, drawn, split_of
from services.contract.inspection import Decision
from services.contract.settings import Settings
from services.contract.verdict import Answer
from tests.cli.tiles import one_thread, product, trial
from training.groups import group_of
from training.splits import Split

__all__ = ["one_thread", "product", "trial"]


def nothing_gained(version: Path, split: Halves) -> dict[str, float]:
    return {"pixel_ap": 0.25, "image_ap": 0.5, "image_auroc": 0.75}


@dataclass
class Unchanged:
    """A plant that teaches nothing: its candidates are the base, and it remembers what it was asked."""

    trial: Trial
    asked: dict[str, Sequence[Path]] = field(default_factory=dict)
    opened: int = 0

    @contextmanager
    def open(self) -> Iterator["Unchanged"]:
        self.opened += 1
        yield self

    def __call__(self, name: str, answered: Sequence[Path]) -> Retrained:
        self.asked[name] = answered
        return Retrained(self.trial.base, max(0, len(answered) - 1), "insufficient evidence")


def test_each_number_of_verdicts_stands_beside_the_control(trial: Trial):
    plant = Unchanged(trial)

    report = measure(trial, [0, 2, 5], seeds=2, plant=plant.open, by=nothing_gained)

    assert [(row["verdicts"], row["given"], row["taught"], row["seeds"]) for row in report["rows"]] == [(0, 0, 0, 2), (2, 2, 1, 2), (5, 5, 4, 2)]
    for row in report["rows"]:  # whoever learns nothing is as good as the base
        assert row["pixel_ap"] == row["control_pixel_ap"] == report["base"]["pixel_ap"]
        assert (row["pixel_ap_spread"], row["image_ap_spread"], row["control_pixel_ap_spread"]) == (0, 0, 0)
    assert report["rows"][1]["rise_beyond_spread"] == {"pixel_ap": False, "image_ap": False, "image_auroc": False}
    held_out = {group_of(path) for path in split_of(trial.folder).held_out}
    assert held_out.isdisjoint(group_of(path) for answered in plant.asked.values() for path in answered)


def test_a_number_beyond_the_groups_takes_what_there_is_and_says_so(trial: Trial):
    groups = len(split_of(trial.folder).teaching)

    [row] = measure(trial, [50], seeds=1, plant=Unchanged(trial).open, by=nothing_gained)["rows"]

    assert (row["verdicts"], row["given"]) == (50, groups)
    assert row["note"].startswith(f"no more than {groups} groups of defects")


def test_a_stopped_experiment_goes_on_and_a_finished_one_opens_no_plant(trial: Trial):
    measure(trial, [2], seeds=1, plant=Unchanged(trial).open, by=nothing_gained)
    again = Unchanged(trial)
    measure(trial, [2], seeds=2, plant=again.open, by=nothing_gained)
    third = Unchanged(trial)
    measure(trial, [2], seeds=2, plant=third.open, by=nothing_gained)

    assert sorted(again.asked) == ["0-verdicts-seed-1", "2-verdicts-seed-1"]
    assert third.opened == 0


def test_answers_at_the_review_desk_become_what_a_dataset_teaches(trial: Trial, tmp_path: Path):
    settings, answered = Settings(home=tmp_path / "home"), drawn(split_of(trial.folder), 6, seed=0)
    with plant_of(settings, trial) as plant:
        line = plant.line("6-verdicts")
        plant.answer(line, answered)
        version = plant.datasets.build(line)
        verdicts = list(plant.datasets.answers.verdicts([line]))
        waiting = plant.desk.reviews.undelivered()

    assert waiting == 6  # on their way to Kafka
    assert {(one.answer, one.defect_class, one.mask_source, one.given_by) for one in verdicts} == {(Answer.DEFECT, "pit", "person", "bench")}
    assert all(one.blind is (one.decision is Decision.PASS) for one in verdicts)
    defects = [row for row in version.rows if row.answer == "defect"]
    assert (len(defects), {row.product for row in defects}) == (6, {None})
    assert taught_by(version) == sum(row.split is Split.TRAIN for row in defects)
    assert sum(row.answer == "good" for row in version.rows) + version.card["left_out"].get("like one of a stricter split", {"frames": 0})["frames"] == 30


def test_without_a_model_one_is_trained_within_the_steps_and_stays(product: Path, tmp_path: Path):
    made = base_of(product, tmp_path / "base", steps=3, side=32)

    steps = {stage: told["steps"] for stage, told in made.card["stages"].items()}
    assert 3 <= sum(steps.values()) <= 3 + len(steps)  # each stage's share is rounded up
    assert made.preprocessing.side == 32
    assert base_of(product, tmp_path / "base", steps=3, side=32).id == made.id
