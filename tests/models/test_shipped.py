"""What is shipped is whole: small enough, it answers as when it was made, and its calibrations are its own."""

import pytest

from models.engine import Engine, check_golden
from models.registry import read_version, shipped, shipped_names
from services.contract.inspection import Calibration
from services.ingest.synthetic import KINDS


@pytest.mark.parametrize("name", shipped_names())
def test_golden_frames_score_as_when_the_version_was_made(name: str):
    folder = shipped(name)

    scores = check_golden(Engine.load(folder, threads=1, device="cpu"), folder)

    assert len(scores) >= 4


def test_every_demo_line_has_a_calibration_made_for_these_weights():
    version = read_version(shipped("demo"))

    for line in KINDS:
        suggestion = version.suggested_calibration(line)
        assert suggestion is not None, line
        calibration = Calibration.model_validate({"calibration_id": line, **suggestion})
        assert 0 < calibration.review < calibration.fail <= 1
        assert suggestion["promised"]["review"] <= suggestion["rates"]["review"]


def test_what_is_shipped_stays_small():
    files = [path for name in shipped_names() for path in shipped(name).rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files) <= 12e6
