"""What is known of the lines -> what the wall says of them: state with its reason, rates, totals, alarms. Pure: no store, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.contract.inspection import Active, Decision, Outcome
from services.dashboard.memory import LineMemory
from services.dashboard.views import Alarm, CameraView, LineState, LineView, MinuteView, Totals
from services.results.live import Minute

STALE_S = 2.5
STALE_AT_MOST_S = 60.0
RECENT = 24
RATE_MINUTES = 5
BEHIND_S = 10.0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one line at one moment."""

    id: str
    name: str
    product: str | None
    paused: bool
    cameras: tuple[CameraView, ...]
    memory: LineMemory
    active: Active | None = None
    minutes: Mapping[int, Minute] = field(default_factory=dict)
    promote_automatically: bool = False


def line_view(facts: Facts, now: float, *, lag: int | None = None) -> LineView:
    state, reason = line_state(facts, now, lag=lag)
    inspected, review, failed = _five_minutes(facts.minutes, now)
    up = state != "no-signal"
    return LineView(
        id=facts.id,
        name=facts.name,
        product=facts.product,
        state=state,
        reason=reason,
        frames_per_s=_rounded(facts.memory.frames_per_s(now), 2) if up else None,
        latency_p95_ms=_rounded(facts.memory.latency_p95_ms(now), 1) if up else None,
        defect_rate=failed / inspected if inspected else None,
        review_rate=review / inspected if inspected else None,
        inspected=inspected,
        model_version=facts.active.model_version if facts.active else None,
        calibration=facts.active.calibration if facts.active else None,
        products=tuple(sorted(facts.active.products)) if facts.active else (),
        blind_check_rate=facts.active.blind_check_rate if facts.active else None,
        promote_automatically=facts.promote_automatically,
        cameras=facts.cameras,
        recent=tuple((one.decision or one.outcome).value for one in list(facts.memory.parts)[-RECENT:]),
    )


def line_state(facts: Facts, now: float, *, lag: int | None = None) -> tuple[LineState, str]:
    """How a line is, and why it is not live. Silence counts from the last inspection, so a stopped inspector shows like a stopped camera."""
    if facts.paused:
        return "paused", "Frames are recorded, not judged"
    down = [camera for camera in facts.cameras if camera.state == "down"]
    if down and len(down) == len(facts.cameras):
        return "no-signal", f"Camera {down[0].id}: {down[0].error or 'down'}"
    last = facts.memory.last_at
    if last is None or now - last > stale_after_s(facts.memory):
        return "no-signal", _silence(last, now, lag)
    if facts.memory.parts[-1].outcome is Outcome.RECORDED:
        return "recording", _unjudged(facts.memory.parts[-1].product, facts.active)
    return "live", ""


def _unjudged(product: str | None, active: Active | None) -> str:
    if active is None or not active.products:
        return "Frames are kept; no model judges this line"
    what = f"product {product}" if product else "frames that name no product"
    return f"Frames are kept; no model judges {what}"


def stale_after_s(memory: LineMemory) -> float:
    """A line that makes a part every ten seconds is not silent after three."""
    return min(max(STALE_S, 3 * (memory.interval_s() or 0)), STALE_AT_MOST_S)


def minute_view(minute: Minute, now: float) -> MinuteView:
    counts, start = minute.counts, minute.minute * 60
    return MinuteView(
        at=start * 1000,
        seconds=min(60.0, max(1.0, now - start)),
        parts=counts.frames,
        inspected=counts.outcome(Outcome.INSPECTED),
        review=counts.decision(Decision.REVIEW),
        failed=counts.decision(Decision.FAIL),
        latency_p95_ms=_rounded(counts.latency_ms(0.95), 1),
    )


def chart(minutes: Mapping[int, Minute], now: float) -> list[MinuteView]:
    """From the first minute in which the line ran. The minute that has just begun says too little yet."""
    views = [minute_view(minutes[one], now) for one in sorted(minutes)]
    ran = next((index for index, view in enumerate(views) if view.parts), len(views))
    return [view for view in views[ran:] if view.seconds >= 10]


def totals(lines: Sequence[LineView], lag: int | None) -> Totals:
    inspected = sum(line.inspected for line in lines)
    frames_per_s = sum(line.frames_per_s or 0 for line in lines)
    return Totals(
        lines=len(lines),
        lines_up=sum(line.state in ("live", "recording") for line in lines),
        parts_per_min=round(frames_per_s * 60, 1),
        defect_rate=_share(lines, "defect_rate", inspected),
        review_rate=_share(lines, "review_rate", inspected),
        latency_p95_ms=max((line.latency_p95_ms for line in lines if line.latency_p95_ms is not None), default=None),
        lag=lag,
        lag_s=None if lag is None else round(lag / frames_per_s, 2) if frames_per_s else 0.0 if lag == 0 else None,
    )


def alarms(lines: Sequence[LineView], total: Totals) -> tuple[Alarm, ...]:
    """What somebody should look at, worst first."""
    silent = [Alarm(line=line.id, text=f"{line.name}: no signal. {line.reason}") for line in lines if line.state == "no-signal"]
    cameras = [
        Alarm(line=line.id, text=f"{line.name}, camera {camera.id}: {camera.error or 'down'}", severity="warn")
        for line in lines
        if line.state != "no-signal"
        for camera in line.cameras
        if camera.state == "down"
    ]
    behind = [Alarm(text=f"Inspection is {total.lag_s:.0f} s behind ({total.lag} frames)", severity="warn")] if (total.lag_s or 0) > BEHIND_S else []
    return (*silent, *behind, *cameras)


def _silence(last: float | None, now: float, lag: int | None) -> str:
    if lag:
        return f"Inspection has stopped: {lag:,} frames wait"
    if last is None:
        return "No frame yet"
    return f"No frame for {_span(now - last)}"


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _five_minutes(minutes: Mapping[int, Minute], now: float) -> tuple[int, int, int]:
    """Inspected, review, fail."""
    recent = [minute.counts for minute in minutes.values() if minute.minute > now // 60 - RATE_MINUTES]
    return (
        sum(counts.outcome(Outcome.INSPECTED) for counts in recent),
        sum(counts.decision(Decision.REVIEW) for counts in recent),
        sum(counts.decision(Decision.FAIL) for counts in recent),
    )


def _share(lines: Sequence[LineView], name: str, inspected: int) -> float | None:
    return sum((getattr(line, name) or 0) * line.inspected for line in lines) / inspected if inspected else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
