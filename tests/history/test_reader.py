"""Searching the history: filters, pages, days, bounds, and what stays hidden."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.contract.inspection import Archived, Decision, Inspection, Outcome
from services.contract.settings import HistorySettings
from services.history.errors import HistoryBusyError, HistoryError, SearchError
from services.history.reader import TELLING, HistoryReader
from services.history.search import After, Search, newest_first
from services.review.blind import UNSEEN
from tests.builders import make_inspection, make_timings
from tests.history.conftest import History

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DRAWN = Archived(reason="blind-check", probability=0.01, frame_path="frames/aa/" + "aa" * 32)


def made(number: int, *, ago: timedelta = timedelta(), **fields: Any) -> Inspection:
    moment = NOON - ago
    return make_inspection(number, timings=make_timings().model_copy(update={"captured_at": moment, "received_at": moment, "written_at": moment}), **fields)


@pytest.fixture
def reader(history: History) -> HistoryReader:
    return HistoryReader(history.folder, HistorySettings())


def numbers(rows: list[Any]) -> list[int]:
    return [row["sequence"] for row in rows]


def found(reader: HistoryReader, known: dict[str, bool] | None = None, **asked: Any) -> list[int]:
    return numbers(reader.page(Search(**asked), known or {}, limit=100))


def test_an_empty_history_answers_nothing(reader: HistoryReader) -> None:
    assert found(reader) == []
    assert reader.counts(Search(), {}, "hour") == []
    assert reader.find("metal/top/s1/0", "metal") is None
    assert reader.extent().rows == 0


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"line": "wood"}, [4]),
        ({"camera": "side"}, [3]),
        ({"product": "tile"}, [2]),
        ({"part_id": "p'; DROP TABLE seen; --"}, [1]),
        ({"decision": Decision.FAIL}, [2]),
        ({"outcome": Outcome.FAILED}, [5]),
        ({"score_from": 0.5}, [2, 3]),
        ({"score_from": 0.2, "score_to": 0.6}, [3]),
        ({"model_version": "abab"}, [0, 1, 2, 3, 4]),
        ({"model_version": "cd"}, []),
        ({"frame_id": "metal/top/s1/1"}, [1]),
        ({"frame_ids": ("metal/top/s1/1", "metal/side/s1/3")}, [1, 3]),
        ({"since": NOON - timedelta(minutes=2), "until": NOON}, [1, 2]),
    ],
)
def test_filters(history: History, reader: HistoryReader, asked: dict[str, Any], expected: list[int]) -> None:
    history.add(
        made(0),
        made(1, ago=timedelta(minutes=1), part_id="p'; DROP TABLE seen; --"),
        made(2, ago=timedelta(minutes=2), product="tile", decision=Decision.FAIL),
        made(3, ago=timedelta(minutes=3), camera="side", decision=Decision.REVIEW),
        made(4, ago=timedelta(minutes=4), line="wood"),
        made(5, ago=timedelta(minutes=5), outcome=Outcome.FAILED, error="cannot be decoded"),
    )

    assert found(reader, **asked) == expected


def test_pages_go_on_where_the_one_before_ended_over_days_and_equal_moments(history: History, reader: HistoryReader) -> None:
    history.add(*(made(number, ago=timedelta(hours=6 * (number // 3))) for number in range(30)))

    pages, after = list[list[int]](), None
    while page := reader.page(Search(), {}, after=after, limit=4):
        pages.append(numbers(page))
        after = After.parse(str(After.of(page[-1]["inspected_at"], page[-1]["frame_id"])))

    flat = [number for page in pages for number in page]
    assert sorted(flat) == list(range(30))
    assert [number // 3 for number in flat] == sorted(number // 3 for number in range(30))


def test_only_the_days_and_lines_that_can_answer_are_opened(history: History, reader: HistoryReader) -> None:
    history.add(made(0), made(1, ago=timedelta(days=1)), made(2, ago=timedelta(days=1), line="wood"))
    for path in history.folder.glob("line=metal/day=2026-03-01/*"):
        path.write_bytes(b"broken")

    assert found(reader, since=NOON - timedelta(hours=1)) == [0]
    assert found(reader, line="wood") == [2]
    with pytest.raises(HistoryError):
        found(reader, line="metal")


def test_newest_days_come_first_and_few_at_first(history: History) -> None:
    history.add(*(made(number, ago=timedelta(days=number)) for number in range(7)))

    groups = newest_first(history.catalog.manifest.files)

    assert [len(group) for group in groups] == [1, 2, 4]
    assert groups[0][0].day == "2026-03-02"


def test_counts_by_hour(history: History, reader: HistoryReader) -> None:
    history.add(made(0), made(1, decision=Decision.FAIL), made(2, archived=DRAWN), made(3, ago=timedelta(hours=2), decision=Decision.REVIEW))

    earlier, later = reader.counts(Search(), {}, "hour")

    assert (earlier.at, earlier.inspections, earlier.review) == (NOON - timedelta(hours=2), 1, 1)
    assert (later.inspections, later.passed, later.failed, later.hidden) == (3, 1, 1, 1)


def test_a_blind_check_that_nobody_answered_tells_nothing(history: History, reader: HistoryReader) -> None:
    """The records may not even know it yet: that it was drawn is enough."""
    history.add(made(0, archived=DRAWN, truth="good"), made(1))

    rows = {row["sequence"]: row for row in reader.page(Search(), {}, limit=10)}

    assert rows[0]["hidden"]
    assert all(rows[0][name] is None for name in TELLING)
    assert rows[1]["score"] == 0.1


@pytest.mark.parametrize(
    "asked", [{"decision": Decision.PASS}, {"score_from": 0.0}, {"score_to": 1.0}, {"model_version": "ab"}, {"score_from": 0.05, "score_to": 0.15}]
)
def test_no_filter_tells_of_a_blind_check(history: History, reader: HistoryReader, asked: dict[str, Any]) -> None:
    history.add(made(0, archived=DRAWN), made(1))

    assert found(reader, **asked) == [1]
    assert sum(one.inspections for one in reader.counts(Search(**asked), {}, "day")) == 1


def test_an_answered_blind_check_is_shown_and_a_flagged_one_that_waits_for_a_second_answer_is_not(history: History, reader: HistoryReader) -> None:
    history.add(made(0, archived=DRAWN), made(1, ago=timedelta(seconds=1), decision=Decision.FAIL))
    known = {"metal/top/s1/0": False, "metal/top/s1/1": True}

    shown, hidden = reader.page(Search(), known, limit=10)

    assert (shown["score"], shown["hidden"]) == (0.1, False)
    assert (hidden["score"], hidden["decision"], hidden["regions"], hidden["hidden"]) == (None, None, None, True)
    assert found(reader, known, decision=Decision.FAIL) == []


def test_what_is_hidden_here_is_what_is_hidden_everywhere() -> None:
    archived = {"archived_reason", "archived_probability", "frame_path", "map_path"}

    assert set(TELLING) - archived == UNSEEN.keys() - {"archived"}


def test_a_search_that_takes_too_long_is_given_up(history: History) -> None:
    history.add(*(made(number) for number in range(50)))
    hasty = HistoryReader(history.folder, HistorySettings(query_s=1e-6))

    with pytest.raises(HistoryBusyError, match="shorter time"):
        _ = [hasty.page(Search(), {}, limit=10) for _ in range(50)]


def test_a_search_reads_nothing_but_the_history(history: History, reader: HistoryReader) -> None:
    history.add(made(0))

    with pytest.raises(HistoryError, match="Permission"), reader._connected({}) as connection:
        connection.execute("SELECT * FROM read_text('/etc/hostname')")


def test_one_inspection_is_found_whole(history: History, reader: HistoryReader) -> None:
    history.add(made(0, decision=Decision.FAIL), made(1))

    inspection = reader.find("metal/top/s1/0", "metal")

    assert inspection is not None
    assert (inspection.score, inspection.archived.frame_path) == (0.9, "frames/aa/" + "aa" * 32)  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "x.metal/top/s1/0", "12", "9" * 30 + ".a"])
def test_a_cursor_that_no_page_gave_is_refused(text: str) -> None:
    with pytest.raises(SearchError):
        After.parse(text)
