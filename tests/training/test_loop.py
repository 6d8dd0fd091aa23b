"""The step loop: a schedule that is stepped, a run that resumes as if it had not stopped, and a plain word when it diverges."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training.loop import DivergedError, OtherRunError, Run, train
from training.randomness import Randomness, drawn_indices
from training.recipes import StageRecipe, paper
from training.team import Alone

PLAN = StageRecipe(steps=20, batch=2, learning_rate=0.1, warm_up=5)


class Line:
    """Fits y = 2 x on random numbers; remembers the rates it was trained at."""

    name = "line"

    def __init__(self, *, killed_at: int | None = None, broken_at: int | None = None, qualities: tuple[float, ...] = ()) -> None:
        self.weight = nn.Parameter(torch.zeros(()))
        self.killed_at, self.broken_at = killed_at, broken_at
        self.qualities = list(qualities)
        self.weights: list[float] = []

    def parameters(self) -> Iterator[nn.Parameter]:
        yield self.weight

    def losses(self, step: int, dice: Randomness) -> Mapping[str, Tensor]:
        if step == self.killed_at:
            raise KeyboardInterrupt
        x = torch.rand(4, generator=dice.torch)
        error = ((self.weight - 2) * x).square().mean()
        return {"total": error * float("nan") if step == self.broken_at else error}

    def after_step(self, step: int, dice: Randomness) -> None:
        pass

    def check(self) -> Mapping[str, float]:
        if not self.qualities:
            return {}
        self.weights.append(float(self.weight.detach()))
        return {"quality": self.qualities.pop(0)}

    def sample(self) -> Tensor | None:
        return None

    def state(self) -> dict[str, Tensor]:
        return {"weight": self.weight.detach().clone()}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.weight.data.copy_(state["weight"])


def test_a_killed_run_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    unbroken, killed, resumed = Line(), Line(killed_at=13), Line()
    train(unbroken, PLAN, Run(tmp_path / "a", 0, "same"))

    with pytest.raises(KeyboardInterrupt):
        train(killed, PLAN, Run(tmp_path / "b", 0, "same"), checkpoint_every=4)
    report = train(resumed, PLAN, Run(tmp_path / "b", 0, "same"), checkpoint_every=4)

    assert torch.equal(resumed.weight, unbroken.weight)
    assert report.steps == 20


def test_a_finished_stage_is_not_run_again(tmp_path: Path) -> None:
    train(Line(), PLAN, Run(tmp_path, 0, "same"))

    again = Line(killed_at=0)
    train(again, PLAN, Run(tmp_path, 0, "same"))

    assert again.weight.item() > 0.5


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    train(Line(), PLAN, Run(tmp_path, 0, "some"))

    with pytest.raises(OtherRunError, match="other pictures, sizes or steps"):
        train(Line(), PLAN, Run(tmp_path, 0, "others"))


def test_a_loss_that_is_no_number_names_its_step(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="line step 7"):
        train(Line(broken_at=7), PLAN, Run(tmp_path, 0, "same"))


def test_the_rate_warms_up_and_falls_by_the_step() -> None:
    rates = [PLAN.rate(step) for step in range(20)]

    assert rates[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert all(later < earlier for earlier, later in pairwise(rates[5:]))
    assert rates[-1] == pytest.approx(0.001)


def test_the_loop_uses_the_rate_of_each_step(tmp_path: Path) -> None:
    """A schedule that is built and never stepped would take ten full steps of 0.1; this one takes eight, and two of 0.01."""
    line = Line()

    train(line, StageRecipe(steps=10, batch=2, learning_rate=0.1, warm_up=0, decay="tenth"), Run(tmp_path, 0, "same"))

    assert 0.7 < line.weight.item() < 0.85


def test_the_papers_rate_falls_to_a_tenth_at_four_fifths() -> None:
    detection = paper().detection

    assert (detection.rate(0), detection.rate(79_999), detection.rate(80_000)) == pytest.approx((2e-4, 2e-4, 2e-5))


def test_every_picture_comes_once_an_epoch() -> None:
    drawn = [index for step in range(5) for index in drawn_indices(10, 4, seed=1, step=step)]

    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert drawn[:10] != drawn[10:]


def test_a_stage_ends_with_the_weights_of_its_best_check(tmp_path: Path) -> None:
    line = Line(qualities=(0.2, 0.9, 0.5, 0.4))

    report = train(line, replace(PLAN, checks=4), Run(tmp_path, 0, "same"))

    assert report.best_step == 10
    assert line.weight.item() == line.weights[1]
    assert [check["quality"] for check in report.checks] == [0.2, 0.9, 0.5, 0.4]


def test_a_resumed_run_still_knows_its_best_step(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Line(killed_at=13, qualities=(0.2, 0.9)), replace(PLAN, checks=4), Run(tmp_path, 0, "same"), checkpoint_every=4)
    line = Line(qualities=(0.5, 0.4))

    report = train(line, replace(PLAN, checks=4), Run(tmp_path, 0, "same"))

    assert report.best_step == 10
    assert [check["quality"] for check in report.checks] == [0.2, 0.9, 0.5, 0.4]


def test_the_last_step_is_kept_where_a_recipe_says_so(tmp_path: Path) -> None:
    line, plain = Line(qualities=(0.9, 0.1)), Line()

    report = train(line, replace(PLAN, checks=2, keep="last"), Run(tmp_path / "a", 0, "same"))
    train(plain, PLAN, Run(tmp_path / "b", 0, "same"))

    assert report.best_step == 20
    assert torch.equal(line.weight, plain.weight)


def test_a_report_says_what_the_last_third_of_the_checks_gained(tmp_path: Path) -> None:
    report = train(Line(qualities=(0.2, 0.5, 0.6, 0.61, 0.64, 0.62)), replace(PLAN, steps=24, checks=6), Run(tmp_path, 0, "same"))

    assert report.gained_lately == pytest.approx(0.03)


def test_what_a_team_averages_is_what_moves_the_weights(tmp_path: Path) -> None:
    class Still(Alone):
        """The other workers pull as hard the other way."""

        def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
            for parameter in parameters:
                assert parameter.grad is not None
                parameter.grad.zero_()

    line = Line()

    train(line, PLAN, Run(tmp_path, 0, "same", team=Still()))

    assert line.weight.item() == 0
