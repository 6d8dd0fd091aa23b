"""Pictures in, findings out; the detector here is as bright as its picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from models.preprocessing import Preprocessing
from services.contract.inspection import Calibration, Decision
from services.inspection.errors import InspectionError
from services.inspection.finding import Finding, FrameFault, Question
from services.inspection.inspector import Limits, decode, judge

CALIBRATION = Calibration(calibration_id="c1", review=0.5, fail=0.8, map_threshold=0.5)
LIMITS = Limits(max_bytes=100_000, max_pixels=1_000_000)


@dataclass
class Scored:
    scores: Tensor
    coarse_maps: Tensor


class Brightness:
    """The anomaly map is the picture's brightness, its score the largest value of it; full maps are twice as bright."""

    preprocessing = Preprocessing(side=32)
    full_maps = True

    def __init__(self) -> None:
        self.masked: list[list[int]] = []

    def score(self, batch: Tensor) -> Scored:
        maps = batch.mean(dim=1)
        return Scored(maps.flatten(1).max(dim=1).values, maps)

    def mask(self, scored: Scored, indices: Sequence[int]) -> Tensor:
        self.masked.append(list(indices))
        return scored.coarse_maps[list(indices)] * 2


def png(brightness: int, *, width: int = 64, height: int = 48) -> bytes:
    return cv2.imencode(".png", np.full((height, width, 3), brightness, np.uint8))[1].tobytes()


def inspect(images: Sequence[bytes], *, detector: Brightness | None = None, two_step: bool = True, wants_map: bool = False) -> list[Finding | FrameFault]:
    detector = detector or Brightness()
    question = Question("m1", images, [CALIBRATION] * len(images), [wants_map] * len(images))
    return judge(detector, decode(images, detector.preprocessing, LIMITS), question, two_step=two_step)


def test_brightness_decides_and_sizes_are_those_of_the_original() -> None:
    dark, grey, bright = inspect([png(10), png(150), png(250)])

    assert isinstance(bright, Finding)
    assert [one.decision for one in (dark, grey, bright) if isinstance(one, Finding)] == [Decision.PASS, Decision.REVIEW, Decision.FAIL]
    assert (bright.width, bright.height) == (64, 48)
    assert bright.regions[0].width == 64


def test_a_batch_gives_what_its_pictures_give_one_by_one() -> None:
    images = [png(10), b"no picture", png(150), png(250), b""]

    assert inspect(images) == [inspect([image])[0] for image in images]


@pytest.mark.parametrize("image", [b"", b"GIF89a", png(10)[:-20], png(10, width=2000, height=2000), bytes(200_000)])
def test_what_cannot_be_decoded_or_is_too_large_is_a_fault_of_its_own(image: bytes) -> None:
    before, fault, after = inspect([png(10), image, png(250)])

    assert isinstance(fault, FrameFault)
    assert isinstance(before, Finding)
    assert isinstance(after, Finding)


def test_only_suspicious_frames_get_the_full_map() -> None:
    detector = Brightness()

    passed, failed = inspect([png(10), png(250)], detector=detector)

    assert detector.masked == [[1]]
    assert isinstance(passed, Finding)
    assert isinstance(failed, Finding)
    assert (passed.map_kind, passed.map_png) == ("coarse", None)
    assert failed.map_kind == "full"
    assert failed.map_png is not None
    assert cv2.imdecode(np.frombuffer(failed.map_png, np.uint8), cv2.IMREAD_UNCHANGED).shape == (32, 32)


def test_maps_of_a_detector_that_never_learnt_full_ones_are_called_coarse() -> None:
    detector = Brightness()
    detector.full_maps = False

    (flagged,) = inspect([png(250)], detector=detector)

    assert isinstance(flagged, Finding)
    assert flagged.map_kind == "coarse"
    assert flagged.map_png is not None
    assert detector.masked == []


def test_without_two_steps_all_frames_get_the_full_map() -> None:
    detector = Brightness()

    inspect([png(10), png(250)], detector=detector, two_step=False)

    assert detector.masked == [[0, 1]]


def test_a_watched_line_gets_its_map_even_if_the_part_passes() -> None:
    (passed,) = inspect([png(10)], wants_map=True)

    assert isinstance(passed, Finding)
    assert passed.map_png is not None


def test_a_score_that_is_no_number_is_the_detectors_fault_not_the_frames() -> None:
    class Broken(Brightness):
        def score(self, batch: Tensor) -> Scored:
            return Scored(torch.full((len(batch),), torch.nan), torch.zeros(len(batch), 32, 32))

    with pytest.raises(InspectionError, match="finite"):
        inspect([png(10)], detector=Broken())


class Blind(Brightness):
    """Its full maps are empty, whatever its scores say."""

    def mask(self, scored: Scored, indices: Sequence[int]) -> Tensor:
        return torch.zeros_like(super().mask(scored, indices))


def test_a_defective_frame_with_an_empty_map_is_flagged_all_the_same() -> None:
    """Score and map come from different heads; the score decides, and a person sees a part without a box."""
    (failed,) = inspect([png(250)], detector=Blind())

    assert isinstance(failed, Finding)
    assert (failed.decision, failed.regions) == (Decision.FAIL, ())
    assert failed.map_png is not None


def test_a_map_does_not_flag_what_its_score_passes() -> None:
    (passed,) = inspect([png(120)], two_step=False, wants_map=True)

    assert isinstance(passed, Finding)
    assert passed.map_png is not None
    assert cv2.imdecode(np.frombuffer(passed.map_png, np.uint8), cv2.IMREAD_UNCHANGED).max() > 128  # beyond the map's threshold
    assert (passed.decision, passed.regions) == (Decision.PASS, ())
