"""loupe.toml's lines -> records, once; whatever is missing is said and tried again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.preprocessing import Preprocessing
from models.registry import Registry, read_version, weights_hash
from services.contract.settings import CameraSeed, LineSeed, Settings
from services.recorder.seeding import seed
from services.records.store import Records
from tests.databases import with_tables

SUGGESTED = {"review": 0.4, "fail": 0.7, "map_threshold": 0.3, "rates": {"review": 0.01, "fail": 0.001}}


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    url = with_tables(f"sqlite:///{tmp_path / 'records.sqlite'}")
    opened = Records(url)
    yield opened
    opened.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A version folder; nothing here runs it."""
    folder = tmp_path / "a-model"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "version.json").write_text(json.dumps({"config": {}, "preprocessing": Preprocessing().to_dict()}))
    suggestion = {**SUGGESTED, "weights_sha256": weights_hash(folder)}
    (folder / "card.json").write_text(json.dumps({"name": "a model", "calibrations": {"metal": suggestion}}))
    return folder


def settings(tmp_path: Path, **line: Any) -> Settings:
    camera = CameraSeed(id="top", source="push:")
    return Settings(home=tmp_path / "home", lines=(LineSeed(**{"id": "metal", "cameras": (camera,), **line}),))


def test_a_line_is_judged_by_what_the_models_card_suggests(records: Records, model: Path, tmp_path: Path) -> None:
    told = settings(tmp_path, model=str(model))

    assert seed(told, records) == []

    active = records.active("metal")
    assert active.judging
    assert active.calibration is not None
    assert (active.calibration.review, active.calibration.fail, active.calibration.map_threshold) == (0.4, 0.7, 0.3)
    assert active.calibration.calibration_id.startswith("metal-")
    assert records.calibrations("metal")[0].details["rates"] == SUGGESTED["rates"]
    assert Registry(told.models_path).fetch(active.model_version or "").id == read_version(model).id


def test_seeding_again_leaves_what_people_changed(records: Records, model: Path, tmp_path: Path) -> None:
    told = settings(tmp_path, model=str(model))
    seed(told, records)
    records.remove_camera("metal", "top")
    records.pause("metal")

    seed(told, records)

    assert records.cameras("metal") == ()
    assert records.active("metal").paused
    assert len(records.activations("metal")) == 1


def test_a_line_whose_model_is_missing_is_there_but_not_judged(records: Records, model: Path, tmp_path: Path) -> None:
    hidden = model.rename(tmp_path / "elsewhere")
    told = settings(tmp_path, model=str(model))

    (problem,) = seed(told, records)

    assert "metal" in problem
    assert "recorded, not judged" in problem
    assert not records.active("metal").judging
    hidden.rename(model)
    assert seed(told, records) == []
    assert records.active("metal").judging


def test_a_line_that_the_card_does_not_know_needs_a_calibration(records: Records, model: Path, tmp_path: Path) -> None:
    (problem,) = seed(settings(tmp_path, id="fabric", model=str(model)), records)

    assert "loupe calibrate" in problem


def test_a_calibration_file_comes_before_the_card(records: Records, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    made_for = {"calibration_id": "mine", "model_version": read_version(model).id, "review": 0.2, "fail": 0.3}
    path.write_text(json.dumps(made_for))

    assert seed(settings(tmp_path, model=str(model), calibration=path), records) == []

    calibration = records.active("metal").calibration
    assert calibration is not None
    assert (calibration.calibration_id, calibration.review) == ("mine", 0.2)


@pytest.mark.parametrize("content", ['{"calibration_id": "x", "model_version": "other", "review": 0.2, "fail": 0.3}', "not json", None])
def test_a_calibration_that_does_not_fit_is_named(records: Records, model: Path, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "calibration.json"
    if content is not None:
        path.write_text(content)

    (problem,) = seed(settings(tmp_path, model=str(model), calibration=path), records)

    assert "calibration.json" in problem
    assert not records.active("metal").judging
