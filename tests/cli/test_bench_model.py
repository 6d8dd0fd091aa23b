"""Processes with the same weights: all answer alike, and the report says how fast each was."""

from pathlib import Path

import pytest
import torch
import typer

from models.checkpoint import Version, save
from models.dsr import DSR
from models.preprocessing import Preprocessing
from services.cli.bench_model import measure
from tests.networks import TINY


def test_the_engine_answers_as_the_networks_it_is_measured_against(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save(tmp_path, DSR(TINY), Version(TINY, Preprocessing(side=64), 5, ("codec", "detection", "upsampling")), card={})

    report = measure(tmp_path, rounds=2, batches=(1, 2), compare=2, threads=1)

    assert min(report["ratio"], report["ratio_to_own_eager"], report["two_step_ratio"], report["images_per_s"]) > 0
    assert set(report["batches"]) == {"1", "2"}
    assert set(report["batches"]["1"]) == set(report["memory"]) == set(report["code_flips"]) == {"engine", "eager", "authors"}
    assert report["batches"]["2"]["authors"]["p50_ms"] <= report["batches"]["2"]["authors"]["p95_ms"]
    assert report["score_max_diff"] < 1e-5
    assert report["mask_max_diff"] < 1e-3
    assert report["codes_per_frame"] == 2 * (8 * 8 + 16 * 16)
    assert report["side"] == 64


def test_a_side_that_dies_is_said(tmp_path: Path) -> None:
    with pytest.raises(typer.Exit):
        measure(tmp_path / "nothing", rounds=2, threads=1)
