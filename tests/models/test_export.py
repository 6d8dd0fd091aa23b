"""The exported file answers as PyTorch does, for any batch, or is not written."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import models.export
from models.checkpoint import UntrainedError, Version, load, save
from models.dsr import DSR
from models.export import ExportError, Parity, export_onnx
from models.preprocessing import Preprocessing
from models.scoring import anomaly_score
from tests.networks import TINY

COMPLETE = Version(TINY, Preprocessing(64), 5, ("codec", "detection", "upsampling"))
EXACT = Parity(frames=1, score=0.0, coarse_map=0.0, full_map=0.0, free_score=0.0, flipped_share=0.0)


def saved(folder: Path, version: Version = COMPLETE) -> Path:
    torch.manual_seed(0)
    save(folder, DSR(version.config), version, card={"name": "tiny"})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With golden frames of its own."""
    folder = saved(tmp_path_factory.mktemp("version"))
    (folder / "golden").mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / "golden" / f"{index:02}.png"), np.random.default_rng(index).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    return folder


@pytest.fixture(scope="module")
def exported(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Parity]:
    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    return path, export_onnx(folder, path)


def run(path: Path, pictures: torch.Tensor) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"pictures": pictures.numpy()}), strict=True))


@pytest.mark.parametrize("batch", [1, 2, 5])
@torch.inference_mode()
def test_another_runtime_gives_the_same_answers_for_any_batch(exported: tuple[Path, Parity], folder: Path, batch: int) -> None:
    pictures = torch.rand(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))
    dsr = load(folder)
    detection = dsr.detect(pictures)

    answers = run(exported[0], pictures)

    assert list(answers) == ["score", "coarse_map", "full_map"]
    np.testing.assert_allclose(answers["score"], anomaly_score(detection.anomaly_map, 5), atol=1e-3)
    np.testing.assert_allclose(answers["coarse_map"], detection.anomaly_map, atol=1e-3)
    np.testing.assert_allclose(answers["full_map"], dsr.upsample(detection), atol=1e-3)


def test_the_comparison_is_over_the_golden_frames(exported: tuple[Path, Parity]) -> None:
    parity = exported[1]

    assert parity.frames == 3
    assert parity.holds
    assert 0 < parity.coarse_map < 1e-4  # two runtimes, so not bitwise


def test_the_file_says_how_to_feed_it_and_nothing_of_this_machine(exported: tuple[Path, Parity]) -> None:
    facts = {entry.key: entry.value for entry in onnx.load(exported[0]).metadata_props}

    assert '"colour": "bgr"' in facts["loupe.preprocessing"]
    assert str(Path(models.export.__file__).parent).encode() not in exported[0].read_bytes()


def test_a_score_needs_no_upsampling_module(folder: Path, exported: tuple[Path, Parity], tmp_path: Path) -> None:
    parity = export_onnx(folder, tmp_path / "score.onnx", score_only=True)

    assert parity.full_map is None
    assert list(run(tmp_path / "score.onnx", torch.rand(2, 3, 64, 64))) == ["score", "coarse_map"]
    assert (tmp_path / "score.onnx").stat().st_size < exported[0].stat().st_size


def test_the_papers_form_without_stage_3_has_a_coarse_map_alone(tmp_path: Path) -> None:
    config = replace(TINY, object_decoder="paper", restriction_poolings=2)
    folder = saved(tmp_path / "paper", replace(COMPLETE, config=config, completed_stages=("codec", "detection")))

    export_onnx(folder, tmp_path / "paper.onnx")

    assert list(run(tmp_path / "paper.onnx", torch.rand(1, 3, 64, 64))) == ["score", "coarse_map"]


@pytest.mark.parametrize("difference", [{"score": 2e-3}, {"coarse_map": 2e-3}, {"full_map": 2e-3}, {"free_score": 0.02}, {"flipped_share": 0.01}])
def test_a_file_that_answers_otherwise_does_not_hold(difference: dict[str, float]) -> None:
    assert EXACT.holds
    assert not replace(EXACT, **difference).holds


def test_a_file_that_answers_otherwise_is_not_written(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.export, "TOLERANCE", 0.0)

    with pytest.raises(ExportError, match="not written, it would answer otherwise"):
        export_onnx(folder, tmp_path / "off.onnx")

    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_the_command_that_installs_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.export, "find_spec", lambda package: None if package == "onnxruntime" else object())

    with pytest.raises(ExportError, match="not installed: onnxruntime; `pip install onnx onnxscript onnxruntime`"):
        export_onnx(folder, tmp_path / "tiny.onnx")


def test_a_codec_alone_cannot_be_exported(tmp_path: Path) -> None:
    folder = saved(tmp_path / "codec", replace(COMPLETE, completed_stages=("codec",)))

    with pytest.raises(UntrainedError, match="'detection'"):
        export_onnx(folder, tmp_path / "codec.onnx")
