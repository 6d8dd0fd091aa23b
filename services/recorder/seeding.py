"""Lines of loupe.toml -> records, model versions and activations, for whatever does not exist yet."""

import json
import logging
from pathlib import Path
from typing import Any

from models.registry import ModelVersion, Registry, RegistryError
from services.contract.inspection import Calibration
from services.contract.settings import LineSeed, Settings
from services.records.errors import AlreadyThereError, RecordsError
from services.records.store import Records

log = logging.getLogger(__name__)

SEEDED_BY = "loupe.toml"


def seed(settings: Settings, records: Records) -> list[str]:
    """Adds what is missing and never changes what is there. Returns what could not be done, in words; call again later."""
    problems = []
    for line in settings.lines:
        _add_line(line, records)
        try:
            _activate(line, records, Registry(settings.models_path))
        except (RegistryError, CalibrationFileError) as error:
            problems.append(f"line {line.id}: {error}; its frames are recorded, not judged")
    return problems


class CalibrationFileError(ValueError):
    """A calibration that is missing or does not fit its model version."""


def _add_line(line: LineSeed, records: Records) -> None:
    token = line.push_token.get_secret_value() if line.push_token else None
    try:
        records.add_line(line.id, name=line.name, product=line.product, when_full=line.when_full, push_token=token)
    except AlreadyThereError:
        return  # people may have changed it since: theirs counts
    for camera in line.cameras:
        records.add_camera(line.id, camera.id, camera.source)
    log.info("line %s: added with %d cameras", line.id, len(line.cameras))


def _activate(line: LineSeed, records: Records, registry: Registry) -> None:
    if line.model is None or records.current_activation(line.id) is not None:
        return
    version = registry.fetch(line.model)
    version = registry.add(version.path)  # replicas load from the registry alone
    details = _calibration_of(line, version)
    calibration = Calibration.model_validate(details)
    records.add_calibration(line.id, version.id, calibration, details)
    records.activate(line.id, version.id, calibration.calibration_id, by=SEEDED_BY)
    log.info("line %s: judged by %s (%s)", line.id, version.name, version.id[:12])


def _calibration_of(line: LineSeed, version: ModelVersion) -> dict[str, Any]:
    if line.calibration is not None:
        return _read(line.calibration, version)
    suggested = version.suggested_calibration(line.id)
    if suggested is None:
        known = sorted(version.card.get("calibrations", {}))
        raise CalibrationFileError(f"model {version.name}: expected a suggested calibration for it, got those for {known}: run `loupe calibrate`")
    return suggested


def _read(path: Path, version: ModelVersion) -> dict[str, Any]:
    try:
        details: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CalibrationFileError(f"calibration {path}: {error}") from error
    if details.get("model_version") not in (None, version.id):
        raise CalibrationFileError(f"calibration {path}: made for model {details['model_version']!r}, expected {version.id!r}")
    return details


def seed_or_log(settings: Settings, records: Records, told: set[str]) -> None:
    """Tells each problem once."""
    try:
        problems = seed(settings, records)
    except RecordsError as error:
        problems = [str(error)]
    for problem in problems:
        if problem not in told:
            log.warning("%s", problem)
    told.clear()
    told.update(problems)
