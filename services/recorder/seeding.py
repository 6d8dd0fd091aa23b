"""Lines of loupe.toml -> records, model versions and activations, for whatever does not exist yet."""

import json
import logging
from pathlib import Path
from typing import Any

from models.registry import ModelVersion, Registry, RegistryError, calibration_id, resolve, weights_hash
from services.contract.inspection import Calibration
from services.contract.settings import LineSeed, Settings
from services.records.errors import AlreadyThereError
from services.records.store import Records

log = logging.getLogger(__name__)

SEEDED_BY = "loupe.toml"


class CalibrationFileError(ValueError):
    """A calibration that is missing or does not fit its model version."""


def seed(settings: Settings, records: Records) -> list[str]:
    """Adds what is missing and never changes what is there. Returns what could not be done, in words; call again later. Raises RecordsError."""
    problems = []
    for line in settings.lines:
        _add_line(line, records)
        try:
            _activate(line, records, settings.models_path)
        except (RegistryError, CalibrationFileError, OSError) as error:
            problems.append(f"line {line.id}: {error}; its frames are recorded, not judged")
    return problems


def _add_line(line: LineSeed, records: Records) -> None:
    token = line.push_token.get_secret_value() if line.push_token else None
    cameras = {camera.id: camera.source for camera in line.cameras}
    try:
        records.add_line(line.id, name=line.name, product=line.product, when_full=line.when_full, push_token=token, cameras=cameras)
    except AlreadyThereError:
        return  # people may have changed it since: theirs counts
    log.info("line %s: added with %d cameras", line.id, len(cameras))


def _activate(line: LineSeed, records: Records, models: Path) -> None:
    if line.model is None or records.current_activation(line.id) is not None:
        return
    version = Registry(models).add(resolve(line.model, models).path)  # replicas load from the registry alone
    calibration, details = calibration_for(line, version)
    records.add_calibration(line.id, version.id, calibration, details)
    records.activate(line.id, version.id, calibration.calibration_id, by=SEEDED_BY)
    log.info("line %s: judged by %s (%s) with calibration %s", line.id, version.name, version.id[:12], calibration.calibration_id)


def calibration_for(line: LineSeed, version: ModelVersion) -> tuple[Calibration, dict[str, Any]]:
    """The line's own file, else what the model's card suggests for it. Raises CalibrationFileError."""
    details = _suggested(line.id, version) if line.calibration is None else _read(line.calibration, version)
    try:
        return Calibration.model_validate({"calibration_id": calibration_id(line.id, version.id, details), **details}), details
    except ValueError as error:
        raise CalibrationFileError(f"calibration of model {version.name}: {error}") from error


def _suggested(line: str, version: ModelVersion) -> dict[str, Any]:
    suggested = version.suggested_calibration(line)
    if suggested is None:
        known = sorted(version.card.get("calibrations", {}))
        raise CalibrationFileError(f"model {version.name}: expected a suggested calibration for it, got those for {known}: run `loupe calibrate`")
    return suggested


def _read(path: Path, version: ModelVersion) -> dict[str, Any]:
    try:
        details: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CalibrationFileError(f"calibration {path}: {error}") from error
    # The same weights under another id (a new card) score alike.
    if details.get("model_version") != version.id and details.get("weights_sha256") != weights_hash(version.path):
        raise CalibrationFileError(f"calibration {path}: made for model {details.get('model_version')!r}, expected {version.id!r}")
    return details
