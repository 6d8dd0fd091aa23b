"""What a supervisor drags -> a calibration of its own with what it can promise, kept for good and in force at once."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from models.registry import calibration_id
from services.contract.inspection import Calibration
from services.dashboard.calibration_views import NewThresholds, WayBack
from services.dashboard.errors import DashboardError
from services.dashboard.lines import follow
from services.dashboard.parts import Parts
from services.dashboard.sample import Sample
from services.records.audit import Actor
from services.records.errors import ChangedMeanwhileError
from services.records.judging import Judgement
from services.review.blind import hidden_from
from training.calibration import CONFIDENCE


class NotJudgedError(DashboardError):
    """No model judges this product, so that it has no thresholds and no scores."""


class TooFewAnswersError(DashboardError):
    """No part that people called good: nothing can be promised."""


async def product_of(parts: Parts, line: str, asked: str | None) -> str | None:
    """Whose thresholds are meant: those of what the line makes now, where nobody says otherwise; "" is whatever it makes."""
    if asked is not None:
        return asked or None
    active = await asyncio.to_thread(parts.records.active, line)
    return active.product if active.products else None


async def current(parts: Parts, line: str, product: str | None) -> Judgement:
    found = {one.product: one for one in await asyncio.to_thread(parts.judging.current, line)}
    if product not in found:
        raise NotJudgedError(f"line {line}: no model judges {f'product {product}' if product else 'it'}; its frames are recorded")
    return found[product]


async def sample(parts: Parts, judgement: Judgement, user: str) -> Sample:
    """As this user may see it."""
    line = judgement.line
    latest = [entry.inspection for entry in await parts.store.latest(line, parts.settings.redis.live_length)]
    answers = [first for first, _ in await asyncio.to_thread(partial(parts.desk.records.answers, line=line))]
    hidden = await asyncio.to_thread(hidden_from, user, latest, parts.desk.records)
    known = await asyncio.to_thread(parts.desk.records.hidden, [one.frame_id for one in answers if one.model_version == judgement.model_version], user)
    hidden |= {frame_id for frame_id, blind in known.items() if blind}
    return Sample.of(latest, answers, hidden=hidden, product=judgement.product, model_version=judgement.model_version)


async def change(parts: Parts, line: str, wanted: NewThresholds, by: Actor) -> Judgement:
    """Raises ChangedMeanwhileError where somebody was faster, NotJudgedError."""
    now = await current(parts, line, await product_of(parts, line, wanted.product))
    if now.id != wanted.seen:
        raise ChangedMeanwhileError(f"line {line}", now.by, now.at)
    thresholds: dict[str, Any] = {"review": wanted.review, "fail": wanted.fail, "map_threshold": now.calibration.map_threshold}
    details = _evidence(now, thresholds, await sample(parts, now, by.name))
    calibration = Calibration(calibration_id=calibration_id(line, now.model_version, thresholds), **thresholds)
    changed = partial(parts.judging.set_calibration, line, calibration, details, product=now.product, seen=wanted.seen)
    made = await asyncio.to_thread(changed, by=by, reason=wanted.reason)
    await follow(line, parts.records, parts.store)
    return made


async def go_back(parts: Parts, line: str, wanted: WayBack, by: Actor) -> Judgement:
    """Raises ChangedMeanwhileError, UnknownCalibrationError."""
    product = await product_of(parts, line, wanted.product)
    went = partial(parts.judging.go_back, line, wanted.calibration_id, product=product, seen=wanted.seen, by=by, reason=wanted.reason)
    made = await asyncio.to_thread(went)
    await follow(line, parts.records, parts.store)
    return made


def _evidence(now: Judgement, thresholds: Mapping[str, float], seen: Sample) -> dict[str, Any]:
    """What answered parts promise of these thresholds. A threshold that went up keeps the promise of the one before: fewer good parts reach it."""
    promised, (maxima, frames), before = {}, seen.maxima(), now.details.get("promised", {})
    for name in ("review", "fail"):
        kept = before.get(name, 1.0) if thresholds[name] >= getattr(now.calibration, name) else 1.0
        promised[name] = min(seen.promised(thresholds[name]), kept)
    same = bool(before) and promised == {name: before.get(name) for name in promised}
    return {
        "by_hand": True,
        "from": now.calibration.calibration_id,
        "rates": now.details.get("rates", {}),
        "promised": promised,
        "confidence": CONFIDENCE,
        "groups": now.details.get("groups") if same else len(maxima),
        "frames": now.details.get("frames") if same else frames,
    }
