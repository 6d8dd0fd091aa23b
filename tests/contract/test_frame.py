"""Frames as Kafka records: today's bytes are those of the golden record, and whatever else comes is refused by name."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from services.contract.frame import Frame, InvalidFrameError
from services.contract.names import FrameId
from tests.builders import make_frame

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden" / "frame-v1.json").read_text())
HEADERS = [(name, value.encode()) for name, value in GOLDEN["headers"].items()]
FRAME = Frame(
    frame_id=FrameId("metal", "top", "20260302t063000-1a2b", 41),
    image=bytes.fromhex(GOLDEN["value_hex"]),
    captured_at=datetime(2026, 3, 2, 6, 30, 41, 250_000, tzinfo=UTC),
    part_id="panel-000041",
    product="panel-b4",
    deadline_at=datetime(2026, 3, 2, 6, 30, 43, tzinfo=UTC),
    truth="scratch",
)


def test_a_frame_is_written_as_the_golden_record() -> None:
    assert FRAME.headers() == HEADERS
    assert FRAME.key == GOLDEN["key"].encode()


def test_the_golden_record_is_read() -> None:
    assert Frame.from_record(HEADERS, FRAME.image) == FRAME


def test_a_frame_survives_the_bus_without_its_optional_fields() -> None:
    frame = make_frame()

    assert Frame.from_record(frame.headers(), frame.image) == frame


def test_a_png_says_so() -> None:
    frame = make_frame(image=b"\x89PNG...")

    assert ("content-type", b"image/png") in frame.headers()


def test_unknown_headers_are_ignored() -> None:
    assert Frame.from_record([*HEADERS, ("ce_exposure", b"4 ms")], FRAME.image) == FRAME


def test_a_local_time_is_read_as_utc() -> None:
    frame = make_frame(captured_at=datetime(2026, 3, 2, 8, 30, tzinfo=timezone(timedelta(hours=2))))

    assert Frame.from_record(frame.headers(), b"").captured_at == datetime(2026, 3, 2, 6, 30, tzinfo=UTC)


def test_no_value_is_an_empty_picture_which_fails_by_itself_later() -> None:
    assert Frame.from_record(HEADERS, None).image == b""


@pytest.mark.parametrize("name", ["ce_type", "ce_id", "ce_time"])
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(InvalidFrameError, match=name):
        Frame.from_record([header for header in HEADERS if header[0] != name], FRAME.image)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ce_type", b"loupe.frame.v2", "loupe.frame.v1"),
        ("ce_type", b"\xff", "decode"),
        ("ce_id", b"metal/top/41", "line/camera/session/sequence"),
        ("ce_id", b"metal/top/s1/-1", "line/camera/session/sequence"),
        ("ce_id", b"Metal/top/s1/1", "line"),
        ("ce_time", b"2026-03-02T06:30:41", "UTC offset"),
        ("ce_time", b"yesterday", "yesterday"),
        ("ce_deadline", b"soon", "soon"),
    ],
)
def test_a_broken_header_is_refused(name: str, value: bytes, says: str) -> None:
    headers = [(header, value if header == name else kept) for header, kept in HEADERS]

    with pytest.raises(InvalidFrameError, match=says):
        Frame.from_record(headers, FRAME.image)
