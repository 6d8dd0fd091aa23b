"""What the wall says of a line, from what is known of it."""

import pytest

from services.contract.inspection import Active, Calibration, Decision, Judges, Outcome
from services.dashboard.memory import LineMemory, quantile
from services.dashboard.views import CameraView, LineView
from services.dashboard.wall import Facts, alarms, chart, line_state, line_view, totals
from services.results.live import Counts, Minute
from tests.dashboard.makers import NOW, inspection

MINUTE = int(NOW // 60)


def memory(*, every_s: float = 0.5, last_s: float = 0.2, count: int = 60, **fields: object) -> LineMemory:
    filled = LineMemory()
    for number in range(count):
        filled.add(inspection(number, ago_s=last_s + (count - 1 - number) * every_s, **fields))  # type: ignore[arg-type]
    return filled


def facts(filled: LineMemory | None = None, *, paused: bool = False, cameras: tuple[CameraView, ...] = (), **fields: object) -> Facts:
    return Facts("bolts", "Bolts", None, paused, cameras, filled or memory(), **fields)  # type: ignore[arg-type]


def test_a_line_whose_parts_come_is_live() -> None:
    assert line_state(facts(), NOW) == ("live", "")


def test_a_line_falls_silent_within_three_seconds() -> None:
    assert line_state(facts(memory(last_s=2)), NOW)[0] == "live"
    assert line_state(facts(memory(last_s=3)), NOW) == ("no-signal", "No frame for 3 s")


def test_a_slow_line_is_not_silent_between_two_parts() -> None:
    assert line_state(facts(memory(every_s=10, last_s=12)), NOW)[0] == "live"
    assert line_state(facts(memory(every_s=10, last_s=31)), NOW)[0] == "no-signal"


def test_a_line_without_parts_has_no_signal() -> None:
    assert line_state(facts(LineMemory()), NOW) == ("no-signal", "No frame yet")


def test_silence_with_a_backlog_points_at_the_inspection() -> None:
    assert line_state(facts(memory(last_s=30)), NOW, lag=1200) == ("no-signal", "Inspection has stopped: 1,200 frames wait")


def test_all_cameras_down_is_no_signal_and_says_why() -> None:
    down = CameraView(id="cam1", state="down", error="unplugged")

    assert line_state(facts(cameras=(down,)), NOW) == ("no-signal", "Camera cam1: unplugged")
    assert line_state(facts(cameras=(down, CameraView(id="cam2", state="up"))), NOW)[0] == "live"


def test_paused_and_recording_say_so() -> None:
    assert line_state(facts(paused=True), NOW)[0] == "paused"
    assert line_state(facts(memory(outcome=Outcome.RECORDED, decision=None, score=None)), NOW)[0] == "recording"


def test_a_product_without_a_model_is_named() -> None:
    judges = Judges(model_version="m1", calibration=Calibration(calibration_id="c1", review=0.4, fail=0.7))
    by_product = Active(line="bolts", product="washer", products={"plate": judges})
    recorded = memory(outcome=Outcome.RECORDED, decision=None, score=None, product="washer")

    assert line_state(facts(recorded, active=by_product), NOW) == ("recording", "Frames are kept; no model judges product washer")
    assert line_view(facts(recorded, active=by_product), NOW).products == ("plate",)


def test_rates_come_from_the_latest_moments() -> None:
    view = line_view(facts(memory(every_s=0.5, count=60, latency_ms=300)), NOW)

    assert view.frames_per_s == pytest.approx(2, abs=0.11)
    assert view.latency_p95_ms == 300


def test_the_defect_rate_counts_fail_of_inspected_in_five_minutes() -> None:
    counted = {MINUTE - back: Minute(MINUTE - back, Counts({"inspected": 50, "decision:fail": 5, "decision:review": 10})) for back in range(20)}

    view = line_view(facts(minutes=counted), NOW)

    assert (view.defect_rate, view.review_rate, view.inspected) == (0.1, 0.2, 250)


def test_what_judges_the_line_is_shown() -> None:
    calibration = Calibration(calibration_id="c1", review=0.4, fail=0.6)

    view = line_view(facts(active=Active(line="bolts", model_version="m1", calibration=calibration)), NOW)

    assert (view.model_version, view.calibration) == ("m1", calibration)


def test_recent_decisions_are_oldest_first() -> None:
    filled = memory(count=2)
    filled.add(inspection(9, decision=Decision.FAIL))

    assert line_view(facts(filled), NOW).recent == ("pass", "pass", "fail")


def test_a_chart_begins_where_the_line_did_and_leaves_out_a_minute_just_begun() -> None:
    counted = {MINUTE - back: Minute(MINUTE - back, Counts({"inspected": 60} if back < 3 else {})) for back in range(10)}
    begun = MINUTE * 60 + 4.0

    assert [point.at // 60_000 for point in chart(counted, begun)] == [MINUTE - 2, MINUTE - 1]
    assert [point.at // 60_000 for point in chart(counted, begun + 20)] == [MINUTE - 2, MINUTE - 1, MINUTE]


def test_totals_weigh_lines_by_their_parts() -> None:
    lines = [
        LineView(id="a", name="A", state="live", frames_per_s=2, defect_rate=0.1, inspected=100, latency_p95_ms=200),
        LineView(id="b", name="B", state="no-signal", defect_rate=0.4, inspected=50),
    ]

    total = totals(lines, 10)

    assert (total.lines_up, total.lines, total.parts_per_min) == (1, 2, 120)
    assert total.defect_rate == pytest.approx(0.2)
    assert (total.lag, total.lag_s, total.latency_p95_ms) == (10, 5, 200)


def test_alarms_name_silent_lines_cameras_and_a_backlog() -> None:
    lines = [
        LineView(id="a", name="A", state="no-signal", reason="No frame yet"),
        LineView(id="b", name="B", state="live", frames_per_s=1, cameras=(CameraView(id="cam2", state="down", error="unplugged"),)),
    ]

    texts = [alarm.text for alarm in alarms(lines, totals(lines, 60))]

    assert texts == ["A: no signal. No frame yet", "Inspection is 60 s behind (60 frames)", "B, camera cam2: unplugged"]


def test_quantile_of_few() -> None:
    assert quantile([], 0.95) is None
    assert quantile([5], 0.95) == 5
    assert quantile(range(1, 101), 0.95) == 95
