"""How long and how each stage learns: `paper()` as published, `small()` for half an hour of two CPU cores, `smoke()` for minutes.

Steps are counted, never minutes: the same recipe and seed make the same weights on a busy machine.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from models.dsr.config import DSRConfig

Similarity = Literal["paper", "authors"]


@dataclass(frozen=True, slots=True)
class StageRecipe:
    """One stage. `flat` is the share of the steps at full rate before the rate falls; 0 steps skip the stage."""

    steps: int
    batch: int
    learning_rate: float
    warm_up: int = 100
    flat: float = 0.0
    decay: Literal["cosine", "tenth"] = "cosine"
    final: float = 0.01
    checks: int = 12
    """How often, evenly spread, the stage is measured on what it does not learn from."""
    keep: Literal["best", "last"] = "best"
    """Which of these steps remains. `last` where the measure misses the point: smudges say little of what real defects teach."""

    def rate(self, step: int) -> float:
        """The learning rate of a step (0 is the first)."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        return self.learning_rate * fading(step, self)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The whole training of a network of one configuration."""

    name: str
    config: DSRConfig
    side: int
    crop: int
    """Side of the codec's crops: it has no norm layers, so small ones teach as well and cost less."""
    codec: StageRecipe
    objects: StageRecipe
    """The object-specific branch alone, before the detection module: without it a short training learns flat pictures."""
    detection: StageRecipe
    upsampling: StageRecipe
    rotation: float
    """Share of the normal pictures that are turned by any angle. 0 where a fixture holds every part alike."""
    flips: bool
    """Whether the normal pictures are also turned by quarters and mirrored. Wrong for parts that always lie alike, under the same light."""
    strokes: float
    """Share of the stage 2 masks that are strokes and spots instead of Perlin noise; 0 in the paper."""
    codec_strokes: float
    """Share of the codec's crops with random strokes drawn in, so that it learns to draw thin things; 0 in the paper."""
    defects: float
    """Share of a batch that is real defects with their masks, where there are any (DSR, section 4.2)."""
    similarity: Similarity
    """Which codes may replace one under a mask (`training.synthesis`)."""
    bfloat16: bool
    filter_side: int
    """Side of the mean filter of the anomaly score: 21 at side 256 in the paper."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def fading(step: int, stage: StageRecipe) -> float:
    """1 while the rate is full, then down to `final` (cosine), or to a tenth at 80 % (the paper's)."""
    if stage.decay == "tenth":
        return 0.1 if step >= 0.8 * stage.steps else 1.0
    start = max(stage.warm_up, int(stage.flat * stage.steps))
    progress = min(1.0, max(0.0, (step - start) / max(1, stage.steps - 1 - start)))
    return stage.final + (1 - stage.final) * (1 + math.cos(math.pi * progress)) / 2


def paper() -> Recipe:
    """As published: batch 32 then 8, Adam at 2e-4, a tenth of it for the last fifth of stage 2."""
    return Recipe(
        name="paper",
        config=DSRConfig.paper(),
        side=256,
        crop=256,
        codec=StageRecipe(200_000, 32, 2e-4, warm_up=0, flat=1.0),
        objects=StageRecipe(0, 8, 2e-4),
        detection=StageRecipe(100_000, 8, 2e-4, warm_up=0, decay="tenth"),
        upsampling=StageRecipe(20_000, 8, 2e-4, warm_up=0, flat=1.0),
        rotation=0.4,
        flips=False,
        strokes=0.0,
        codec_strokes=0.0,
        defects=0.25,
        similarity="paper",
        bfloat16=False,
        filter_side=21,
    )


def small() -> Recipe:
    """About twenty minutes on two idle cores for a detector, and half an hour for a codec, which is needed once."""
    return Recipe(
        name="small",
        config=DSRConfig.small(),
        side=128,
        crop=64,
        codec=StageRecipe(12_000, 32, 1e-3, flat=0.6),
        objects=StageRecipe(3_000, 4, 1e-3, warm_up=50, flat=0.3),
        detection=StageRecipe(1_200, 8, 1e-3, warm_up=50),
        upsampling=StageRecipe(1_000, 8, 1e-3, warm_up=50),
        rotation=0.0,
        flips=False,
        strokes=0.5,
        codec_strokes=0.25,
        defects=0.25,
        similarity="authors",
        bfloat16=True,
        filter_side=11,
    )


def further() -> Recipe:
    """A small codec that goes on from another (`--start`), now with the parts themselves among its pictures."""
    return replace(small(), name="further", codec=StageRecipe(1_500, 32, 5e-4, flat=0.2))


def smoke() -> Recipe:
    """Two to three minutes on two idle cores from a shipped codec: shows that everything runs, and finds plain defects."""
    return replace(
        small(),
        name="smoke",
        codec=StageRecipe(300, 32, 1e-3, flat=0.6),
        objects=StageRecipe(500, 4, 1e-3, warm_up=25),
        detection=StageRecipe(160, 8, 1e-3, warm_up=25),
        upsampling=StageRecipe(60, 8, 1e-3, warm_up=15),
    )


def taught() -> Recipe:
    """A small detector that goes on with real defects: a few minutes, at a rate that does not forget."""
    return replace(
        small(),
        name="taught",
        objects=StageRecipe(0, 4, 5e-4),
        detection=StageRecipe(400, 8, 5e-4, warm_up=25, checks=4, keep="last"),
        upsampling=StageRecipe(200, 8, 5e-4, warm_up=15, checks=4, keep="last"),
    )


def changed(recipe: Recipe, *, side: int | None = None, budget: float | None = None, **changes: Any) -> Recipe:
    """The same recipe for pictures of another side (larger ones show thinner defects and cost by their area; the score's filter grows along),
    with a share of its steps, or with other values of its fields; None changes nothing."""
    recipe = replace(recipe, **{name: value for name, value in changes.items() if value is not None})
    if budget is not None:
        recipe = replace(
            recipe,
            codec=_shortened(recipe.codec, budget),
            objects=_shortened(recipe.objects, budget),
            detection=_shortened(recipe.detection, budget),
            upsampling=_shortened(recipe.upsampling, budget),
        )
    if side is None:
        return recipe
    if side < 32 or side % 32:
        raise ValueError(f"side: expected a multiple of 32, got {side}")
    filter_side = round(recipe.filter_side * side / recipe.side)
    return replace(recipe, side=side, filter_side=filter_side + (filter_side % 2 == 0))


def _shortened(stage: StageRecipe, budget: float) -> StageRecipe:
    if not 0 < budget <= 1:
        raise ValueError(f"budget: expected a share of the steps above 0 and up to 1, got {budget}")
    return replace(stage, steps=math.ceil(stage.steps * budget), warm_up=math.ceil(stage.warm_up * budget))


RECIPES: dict[str, Callable[[], Recipe]] = {"paper": paper, "small": small, "further": further, "taught": taught, "smoke": smoke}


def recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ValueError(f"recipe: expected one of {sorted(RECIPES)}, got {name!r}")
    return RECIPES[name]()
