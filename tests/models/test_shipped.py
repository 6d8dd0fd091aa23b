"""What is shipped is whole: small enough, it answers as when it was made, and its calibrations are its own."""

import pytest
import torch

from models.checkpoint import load_codec
from models.checkpoint import read_version as read_network
from models.engine import Engine, check_golden
from models.preprocessing import to_tensor
from models.registry import read_version, shipped, shipped_names
from services.contract.inspection import Calibration
from services.ingest.synthetic import KINDS
from services.ingest.synthetic.parts import GoodParts
from training.explained import share

DETECTORS = [name for name in shipped_names() if "detection" in read_network(shipped(name)).completed_stages]


@pytest.mark.parametrize("name", DETECTORS)
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


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_codec_draws_parts_that_it_has_never_seen(kind: str):
    folder = shipped("codec")
    pictures = [read_version(folder).preprocessing.fit(GoodParts(kind, 5).good(index).image) for index in range(2)]

    with torch.no_grad():
        batch = to_tensor(pictures)
        explained = share(load_codec(folder)(batch), batch)

    assert explained > 0.8  # a weave of two pixels a thread is the hardest


def test_the_shipped_codec_says_how_well_it_draws_photographs_it_has_never_seen():
    held_out = read_version(shipped("codec")).card["held_out"]["natural_images"]

    assert held_out["psnr_db"] > 25
    assert held_out["pictures"] >= 140


def test_what_is_shipped_stays_small():
    files = [path for name in shipped_names() for path in shipped(name).rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files) <= 12e6
