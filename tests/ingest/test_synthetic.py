"""The procedural lines: always the same, changed only where the mask says, and drawn without knowing of defects."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from services.ingest.synthetic import KINDS
from services.ingest.synthetic.defects import PAINTERS
from services.ingest.synthetic.line import SyntheticLine
from services.ingest.synthetic.parts import GoodParts
from services.ingest.synthetic.textures import UnknownKindError

DEFECTS = [(kind, defect) for kind in KINDS for defect in PAINTERS[kind]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_drawn_alike_whenever_and_in_whatever_order_it_is_asked_for(kind: str) -> None:
    first, second = SyntheticLine(kind, 3), SyntheticLine(kind, 3)
    second.good(0)

    assert np.array_equal(first.good(5).image, second.good(5).image)
    assert np.array_equal(first.defective(5).image, second.defective(5).image)
    assert not np.array_equal(first.good(5).image, SyntheticLine(kind, 4).good(5).image)


@pytest.mark.parametrize(("kind", "defect"), DEFECTS)
def test_a_mask_covers_what_changed_and_little_else(kind: str, defect: str) -> None:
    line = SyntheticLine(kind, 9)
    for index in range(6):
        part, difference = line.defective(index, defect), cv2.absdiff(line.good(index).image, line.defective(index, defect).image).max(axis=2)
        masked = part.mask > 0

        assert part.kind == defect
        assert set(np.unique(part.mask)) == {0, 255}
        assert np.count_nonzero(difference[~masked] > 40) < 20, "a visible change lies outside the mask"
        assert np.count_nonzero(difference[masked] > 10) > 0.6 * np.count_nonzero(masked), "the mask covers what did not change"
        assert 0.003 < masked.mean() < 0.35


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_part_has_an_empty_mask(kind: str) -> None:
    part = SyntheticLine(kind, 1).good(0)

    assert part.kind == "good"
    assert not part.mask.any()
    assert part.image.shape == (384, 384, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_median_of_good_frames_does_not_give_defects_away(kind: str) -> None:
    line = SyntheticLine(kind, 21)
    median = np.median([small(line.good(1000 + index).image) for index in range(20)], axis=0)

    truth = [index % 2 for index in range(80)]
    frames = [line.defective(index) if bad else line.good(index) for index, bad in enumerate(truth)]
    scores = [cv2.blur(np.abs(small(part.image) - median).mean(axis=2), (11, 11)).max() for part in frames]

    assert roc_auc_score(truth, scores) <= 0.85


def test_the_share_of_defects_is_what_was_asked_for() -> None:
    line = SyntheticLine("woven-fabric", 1)

    defective = sum(line.part(index, 0.25).kind != "good" for index in range(200))

    assert 30 <= defective <= 70
    assert line.part(3, 0).kind == "good"
    assert line.part(3, 1).kind != "good"


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(UnknownKindError, match=r"expected one of brushed-metal, .*, got 'velvet'"):
        GoodParts("velvet")
    with pytest.raises(ValueError, match=r"expected one of scratch, pit, stain, got 'crack'"):
        SyntheticLine("brushed-metal").defective(0, "crack")


@pytest.mark.parametrize("module", ["services.ingest.synthetic.textures", "services.ingest.synthetic.parts", "services.cli.synthesize"])
def test_what_draws_good_parts_never_loads_what_draws_defects(module: str) -> None:
    code = f"import {module}, services.ingest.synthetic.parts, sys; sys.exit('services.ingest.synthetic.defects' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def small(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA).astype(np.float32)
