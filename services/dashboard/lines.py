"""What people change about lines -> records, and at once the live value that judges them."""

import asyncio
from contextlib import suppress

from models.registry import Registry, RegistryError, calibration_id
from services.contract.inspection import Calibration
from services.contract.settings import Settings
from services.dashboard.errors import DashboardError
from services.dashboard.store import ResultsError, Store
from services.dashboard.views import NewLine
from services.records.store import Line, Records

CHANGED_BY = "rest"


class UnusableModelError(DashboardError):
    """No such model version, or none of its calibrations is for this line."""


async def add_line(line: NewLine, *, settings: Settings, records: Records, store: Store) -> Line:
    """Raises AlreadyThereError, UnusableModelError; then nothing was added."""
    added = await asyncio.to_thread(_add, line, settings, records)
    await _follow(line.id, records, store)
    return added


async def set_paused(line_id: str, paused: bool, *, records: Records, store: Store) -> None:
    await asyncio.to_thread(records.pause if paused else records.resume, line_id)
    await _follow(line_id, records, store)


async def _follow(line_id: str, records: Records, store: Store) -> None:
    """SQL decides; where Redis does not answer just now, the recorder brings the value there."""
    with suppress(ResultsError, TimeoutError):
        await store.set_active(await asyncio.to_thread(records.active, line_id))


def _add(line: NewLine, settings: Settings, records: Records) -> Line:
    judged_by = _calibrated(line, settings) if line.model else None
    added = records.add_line(line.id, name=line.name, product=line.product, when_full=line.when_full, push_token=line.push_token)
    for camera in line.cameras:
        records.add_camera(line.id, camera.id, camera.source)
    if judged_by is not None:
        version_id, details = judged_by
        calibration = Calibration.model_validate(details)
        records.add_calibration(line.id, version_id, calibration, details)
        records.activate(line.id, version_id, calibration.calibration_id, by=CHANGED_BY)
    return added


def _calibrated(line: NewLine, settings: Settings) -> tuple[str, dict[str, object]]:
    """The model version's id, now in the registry that replicas load from, and its calibration for this line."""
    assert line.model is not None
    registry = Registry(settings.models_path)
    try:
        version = registry.add(registry.fetch(line.model).path)
        details = version.suggested_calibration(line.id)
    except RegistryError as error:
        raise UnusableModelError(str(error)) from error
    if details is None:
        known = sorted(version.card.get("calibrations", {}))
        raise UnusableModelError(f"model {version.name}: expected a calibration for line {line.id}, got those for {known}; make one with `loupe calibrate`")
    return version.id, {"calibration_id": calibration_id(line.id, version.id, details), **details}
