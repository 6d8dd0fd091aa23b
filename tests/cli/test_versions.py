"""Versions come in from the authors' files and go out to other runtimes; every error is one line on standard error."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from models.checkpoint import read_version
from models.dsr import DSR
from services.cli import app
from tests.authors_files import AUTHORS_FORM, file_of, write_authors_files


@pytest.fixture
def files(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    write_authors_files(DSR(AUTHORS_FORM), tmp_path)
    return tmp_path


def loupe(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_an_objects_files_become_a_detector(files: Path) -> None:
    result = loupe("models", "import", "--codec", files / file_of("codec"), "--parts", files, "--object", "screw", "--out", files / "out")

    assert result.exit_code == 0, result.stderr
    assert "detector in" in result.stderr
    assert read_version(files / "out").completed_stages == ("codec", "detection", "upsampling")


def test_a_part_under_another_name_can_be_named(files: Path) -> None:
    (files / file_of("upsampling")).rename(files / "mine.pckl")

    without = loupe("models", "import", "--codec", files / file_of("codec"), "--parts", files, "--out", files / "a")
    named = loupe("models", "import", "--codec", files / file_of("codec"), "--parts", files, "--upsampling", files / "mine.pckl", "--out", files / "b")

    assert "its maps are the coarse ones" in without.stderr
    assert named.exit_code == 0, named.stderr
    assert "upsampling" in read_version(files / "b").completed_stages


def test_a_codec_alone_says_how_to_go_on(files: Path) -> None:
    result = loupe("models", "import", "--codec", files / file_of("codec"), "--out", files / "out")

    assert result.exit_code == 0, result.stderr
    assert "loupe train detector --codec" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--codec", "DSR_anomaly_det_module_screw.pckl"), "DSR_anomaly_det_module_screw.pckl: missing _decoder_b"),
        (("--codec", "nothing.pckl"), "nothing.pckl: expected a state dict"),
        (("--codec", "vq_model_pretrained_128_4096.pckl", "--object", "screw"), "--object: expected --parts beside it"),
        (("--codec", "vq_model_pretrained_128_4096.pckl", "--parts", ".", "--object", "nut"), "expected files like *anomaly_det_module_nut.pckl"),
    ],
)
def test_an_error_is_one_line(files: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str) -> None:
    monkeypatch.chdir(files)

    result = loupe("models", "import", *words, "--out", "out")

    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_imported_detector_goes_out_as_onnx(files: Path) -> None:
    loupe("models", "import", "--codec", files / file_of("codec"), "--parts", files, "--out", files / "out")

    result = loupe("models", "export", "--model", files / "out", "--out", files / "screw.onnx", "--score-only", "--threads", 1)

    assert result.exit_code == 0, result.stderr
    parity = json.loads(result.stdout)
    assert parity["coarse_map"] < 1e-3
    assert parity["full_map"] is None
    assert result.stderr.startswith(f"{files / 'screw.onnx'}: ")


def test_what_cannot_be_exported_is_one_line(files: Path) -> None:
    loupe("models", "import", "--codec", files / file_of("codec"), "--out", files / "out")

    result = loupe("models", "export", "--model", files / "out", "--out", files / "codec.onnx")

    assert result.exit_code == 1
    assert "stage 'detection' completed" in result.stderr
    assert result.stderr.count("\n") == 1
