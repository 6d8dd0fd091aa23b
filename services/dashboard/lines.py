"""What people change about lines -> records, and at once the live value that judges them."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

from models.registry import Registry, RegistryError, calibration_id
from services.contract.inspection import Calibration
from services.contract.settings import Settings
from services.dashboard.errors import DashboardError
from services.dashboard.parts import Parts
from services.dashboard.standby import standing_by
from services.dashboard.store import ResultsError, Store
from services.dashboard.views import LineSettings, NewLine, NewProduct
from services.records.audit import Actor
from services.records.judging import Judging
from services.records.store import JudgedBy, Line, Records


class UnusableModelError(DashboardError):
    """No such model version, or none of its calibrations is for this line."""


async def add_line(line: NewLine, *, settings: Settings, records: Records, store: Store, by: Actor) -> Line:
    """Raises AlreadyThereError, UnusableModelError; then nothing was added."""
    added = await asyncio.to_thread(_add, line, settings, records, by)
    await follow(line.id, records, store)
    return added


async def set_paused(line_id: str, paused: bool, *, records: Records, store: Store, by: Actor) -> None:
    await asyncio.to_thread(records.pause if paused else records.resume, line_id, by=by)
    await follow(line_id, records, store)


async def change_settings(line_id: str, wanted: LineSettings, *, judging: Judging, records: Records, store: Store, by: Actor) -> Line:
    """What was said and nothing else. Raises UnknownLineError."""
    if "product" in wanted.model_fields_set:
        await asyncio.to_thread(judging.set_product, line_id, wanted.product, by=by)
    if "blind_check_rate" in wanted.model_fields_set:
        await asyncio.to_thread(judging.set_blind_check_rate, line_id, wanted.blind_check_rate, by=by)
    if "promote_automatically" in wanted.model_fields_set:
        await asyncio.to_thread(judging.set_promote_automatically, line_id, wanted.promote_automatically, by=by)
    await follow(line_id, records, store)
    return await asyncio.to_thread(records.line, line_id)


async def judge_product(line_id: str, wanted: NewProduct, *, parts: Parts, by: Actor) -> None:
    """Raises UnknownLineError, UnusableModelError; RejectedVersionError and NotReadyError where replicas cannot judge with it."""
    await asyncio.to_thread(parts.records.line, line_id)
    judges = await asyncio.to_thread(calibrated, line_id, wanted.model, parts.settings, product=wanted.product)
    judged = partial(parts.judging.judge_product, line_id, wanted.product, judges.model_version, judges.calibration, judges.details)
    judged_already = await asyncio.to_thread(parts.judging.current, line_id)
    async with standing_by(parts, judges.model_version) if judged_already else nullcontext():
        await asyncio.to_thread(judged, by=by, reason=wanted.reason)
        await follow(line_id, parts.records, parts.store)


async def follow(line_id: str, records: Records, store: Store) -> None:
    """SQL decides; where Redis does not answer just now, the recorder brings the value there."""
    with suppress(ResultsError, TimeoutError):
        await store.set_active(await asyncio.to_thread(records.active, line_id))


def _add(line: NewLine, settings: Settings, records: Records, by: Actor) -> Line:
    same: Mapping[str, Any] = {name: getattr(line, name) for name in ("name", "product", "when_full", "push_token")}
    cameras = {camera.id: camera.source for camera in line.cameras}
    return records.add_line(line.id, **same, cameras=cameras, judged_by=calibrated(line.id, line.model, settings) if line.model else None, by=by)


def calibrated(line: str, model: str, settings: Settings, *, product: str | None = None) -> JudgedBy:
    """The model version, now in the registry that replicas load from, with what its card suggests for this product, else for this line."""
    registry = Registry(settings.models_path)
    try:
        version = registry.add(registry.fetch(model).path)
        details = (version.suggested_calibration(product) if product else None) or version.suggested_calibration(line)
    except RegistryError as error:
        raise UnusableModelError(str(error)) from error
    if details is None:
        known, wanted = sorted(version.card.get("calibrations", {})), f"product {product} or line {line}" if product else f"line {line}"
        raise UnusableModelError(f"model {version.name}: expected a calibration for {wanted}, got those for {known}; make one with `loupe calibrate`")
    calibration = Calibration.model_validate({"calibration_id": calibration_id(line, version.id, details), **details})
    return JudgedBy(version.id, calibration, details)
