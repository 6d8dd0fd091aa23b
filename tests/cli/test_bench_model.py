"""Two processes, the same weights: both answer alike, and the report says how fast each was."""

from pathlib import Path

import pytest
import torch
import typer

from models.checkpoint import Version, save
from models.dsr import DSR, DSRConfig
from models.preprocessing import Preprocessing
from services.cli.bench_model import measure

TINY = DSRConfig(
    code_size=8,
    codes=32,
    codec_width=8,
    residual_width=4,
    residual_blocks=1,
    restriction_width=8,
    restriction_poolings=1,
    object_decoder="general",
    unet_width=4,
)


def test_the_engine_answers_as_the_plain_network_it_is_measured_against(tmp_path: Path):
    torch.manual_seed(0)
    save(tmp_path, DSR(TINY), Version(TINY, Preprocessing(side=64), 5, ("codec", "detection", "upsampling")), card={})

    report = measure(tmp_path, rounds=2, frames=3, flagged=0.5, threads=1)

    assert {"images_per_s", "baseline_images_per_s", "ratio", "p50_ms", "p95_ms", "side", "parity"} <= report.keys()
    assert report["ratio"] > 0
    assert report["parity"]["score_max_diff"] < 1e-4
    assert report["side"] == 64


def test_a_side_that_dies_is_said(tmp_path: Path):
    with pytest.raises(typer.Exit):
        measure(tmp_path / "nothing", rounds=2, frames=1, threads=1)
