"""The supervised experiment: what teaches is never measured, a larger number has the smaller one's defects, and a stopped run goes on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.cli.measuring import supervised
from services.cli.measuring.supervised import Trial, drawn, measure, split_of
from tests.cli.tiles import one_thread, product, trial
from training.data import DataError
from training.groups import group_of

__all__ = ["one_thread", "product", "trial"]


def test_no_group_both_teaches_and_is_measured(product: Path):
    split = split_of(product)

    assert split.teaching.keys().isdisjoint({group_of(path) for path in split.held_out})
    assert {path.parent.name for path in split.held_out} == {"good", "pit"}


def test_a_larger_number_adds_to_the_smaller_ones_defects(product: Path):
    split = split_of(product)

    few, many = drawn(split, 2, seed=1), drawn(split, 5, seed=1)

    assert many[:2] == few
    assert len({group_of(path) for path in many}) == 5
    assert few != drawn(split, 2, seed=2)


def test_each_number_is_measured_beside_the_base_and_the_control(trial: Trial):
    report = measure(trial, [2], seeds=2)

    assert [(row["defects"], row["seeds"]) for row in (report["control"], *report["rows"])] == [(0, 2), (2, 2)]
    assert all(0 <= report[part]["pixel_ap"] <= 1 for part in ("base", "control"))
    assert report["rows"][0]["pixel_ap_spread"] >= 0
    assert set(report["rows"][0]["rise_beyond_spread"]) == {"pixel_ap", "image_ap", "image_auroc"}
    assert sorted(path.name for path in trial.out.iterdir()) == ["runs.json"]


def test_a_stopped_experiment_goes_on_where_it_was(trial: Trial, monkeypatch: pytest.MonkeyPatch):
    first = measure(trial, [2], seeds=1)
    monkeypatch.setattr(supervised, "train_detector", lambda *_, **__: pytest.fail("trained again"))

    assert measure(trial, [2], seeds=1) == first
    assert len(json.loads((trial.out / "runs.json").read_text())["runs"]) == 3


def test_more_defects_than_groups_are_refused(trial: Trial):
    with pytest.raises(DataError, match="one of each group that may teach, got 50"):
        measure(trial, [50], seeds=1)


def test_results_of_another_recipe_are_not_mixed_in(trial: Trial):
    measure(trial, [1], seeds=1)

    with pytest.raises(DataError, match="another base or recipe"):
        measure(replace(trial, recipe=replace(trial.recipe, defects=0.5)), [1], seeds=1)
