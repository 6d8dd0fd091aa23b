"""Recipes as they are changed from a command line."""

import pytest

from training.recipes import StageRecipe, changed, small, taught


def test_a_budget_shortens_every_stage_and_its_warm_up_alone() -> None:
    whole, half = small(), changed(small(), budget=0.5)

    assert (half.objects.steps, half.detection.steps, half.upsampling.steps) == (1500, 600, 500)
    assert half.detection == StageRecipe(600, whole.detection.batch, whole.detection.learning_rate, warm_up=25)
    assert (half.side, half.filter_side, half.name) == (whole.side, whole.filter_side, whole.name)


def test_a_stage_that_is_skipped_stays_skipped_and_one_that_is_not_keeps_a_step() -> None:
    little = changed(taught(), budget=0.001)

    assert (little.objects.steps, little.detection.steps, little.upsampling.steps) == (0, 1, 1)


@pytest.mark.parametrize("budget", [0, -0.5, 1.5, float("nan")])
def test_a_budget_is_a_share(budget: float) -> None:
    with pytest.raises(ValueError, match=f"got {budget}"):
        changed(small(), budget=budget)


def test_another_side_takes_the_filter_of_the_score_along() -> None:
    larger = changed(small(), side=256)

    assert (larger.side, larger.filter_side) == (256, 2 * small().filter_side + 1)
    with pytest.raises(ValueError, match="multiple of 32"):
        changed(small(), side=100)
