"""Writing the history: once, whatever is killed, lost or full."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from services.contract.batch import NOWHERE, Batch, PositionMovedError
from services.contract.inspection import Decision, Outcome, Timings
from services.history.catalog import MANIFEST, Catalog, Manifest
from services.history.errors import HistoryError
from services.history.rows import inspection_of
from services.history.writer import HistoryWriter
from tests.builders import make_inspection, make_timings
from tests.history.conftest import TOPIC, Clock, History


def frames(*numbers: int) -> list[str]:
    return sorted(f"metal/top/s1/{number}" for number in numbers)


def at(moment: datetime) -> Timings:
    return make_timings().model_copy(update={"captured_at": moment, "received_at": moment, "written_at": moment})


def test_inspections_are_in_a_file_of_their_line_and_utc_day(history: History) -> None:
    before_midnight, after = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), datetime(2026, 3, 2, 0, 0, 1, tzinfo=UTC)

    history.add(make_inspection(0, timings=at(before_midnight)), make_inspection(1, timings=at(after)), make_inspection(2, line="wood", timings=at(after)))

    assert history.on_disk() == [
        f"line=metal/day=2026-03-01/{TOPIC}.0.0-2.parquet",
        f"line=metal/day=2026-03-02/{TOPIC}.0.0-2.parquet",
        f"line=wood/day=2026-03-02/{TOPIC}.0.0-2.parquet",
    ]


def test_a_row_says_what_the_inspection_said(history: History) -> None:
    inspected = make_inspection(0, decision=Decision.FAIL, part_id="p-7", product="tile", truth="scratch")
    failed = make_inspection(1, outcome=Outcome.FAILED, error="cannot be decoded")
    history.add(inspected, failed)

    [stored] = history.catalog.manifest.files
    rows = pq.read_table(history.folder / stored.path, partitioning=None).to_pylist()

    for row, said in zip(rows, (inspected, failed), strict=True):
        read = inspection_of(row)
        unkept = {"timings": {"decoded_at", "inferred_at"}, "regions": {"__all__": {"peak"}}}
        assert read.model_dump(exclude=unkept) == said.model_dump(exclude=unkept)  # type: ignore[arg-type]
        assert row["latency_ms"] == said.latency_ms
    assert rows[0]["regions"][0]["peak"] == pytest.approx(0.9)


def test_the_first_record_of_a_frame_counts(history: History) -> None:
    wrote = history.add(make_inspection(0), make_inspection(1), make_inspection(0), make_inspection(1))
    history.add(make_inspection(1), make_inspection(2))

    assert (wrote.written, wrote.passed_over) == (2, 2)
    assert history.frames() == frames(0, 1, 2)


def test_a_topic_made_anew_starts_at_0_again(history: History) -> None:
    history.add(make_inspection(5))

    history.add(make_inspection(0, session="s2", topic_id="another"))

    assert len(history.frames()) == 2


def test_a_batch_that_does_not_go_on_from_where_it_stands_is_refused(history: History) -> None:
    history.add(make_inspection(0))

    with pytest.raises(PositionMovedError) as moved:
        history.writer.write(Batch(TOPIC, 0, NOWHERE, 0, [make_inspection(0)]))

    assert moved.value.stands == 0


class KilledError(BaseException):
    """As if the process ended here."""


def test_a_writer_killed_before_it_named_its_files_loses_and_doubles_nothing(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.add(make_inspection(0))

    def killed(*_: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(Manifest, "to_json", killed)
        with pytest.raises(KilledError):
            history.add(make_inspection(1), make_inspection(2, line="wood"))
    assert len(history.on_disk()) == 3
    history.again()

    assert history.writer.position(TOPIC, 0) == 0
    history.add(make_inspection(1), make_inspection(2, line="wood"), make_inspection(3))
    assert history.frames() == sorted([*frames(0, 1, 3), "wood/top/s1/2"])
    assert len(history.on_disk()) == 3  # what nobody had named is gone


def test_a_second_writer_is_refused(history: History, clock: Clock) -> None:
    history.add(make_inspection(0))

    with pytest.raises(HistoryError, match="another recorder"):
        HistoryWriter(Catalog(history.folder, now=clock), min_free_mb=0).position(TOPIC, 0)


def test_a_full_disk_pauses_and_says_so(history: History) -> None:
    full = HistoryWriter(history.catalog, min_free_mb=10**9)

    with pytest.raises(HistoryError, match="paused, expected 1e\\+09 MB free"):
        full.write(Batch(TOPIC, 0, NOWHERE, 0, [make_inspection(0)]))

    assert "paused" in full.problem
    assert history.on_disk() == []
    history.add(make_inspection(0))
    assert history.frames() == frames(0)


def test_a_folder_that_cannot_be_made_is_a_history_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = HistoryWriter(Catalog(tmp_path / "file" / "history"), min_free_mb=0)

    with pytest.raises(HistoryError):
        writer.position(TOPIC, 0)


def test_an_emptied_history_begins_anew_while_the_recorder_runs(history: History) -> None:
    history.add(make_inspection(0))
    for path in history.folder.rglob("*"):
        if path.is_file():
            path.unlink()

    assert history.writer.position(TOPIC, 0) == NOWHERE
    history.add(make_inspection(0))
    assert history.frames() == frames(0)


def test_a_lost_manifest_is_made_again_from_the_files_and_nothing_is_written_twice(history: History) -> None:
    history.add(make_inspection(0), make_inspection(1))
    (history.folder / MANIFEST).unlink()
    history.again()

    assert history.writer.position(TOPIC, 0) == NOWHERE
    history.add(make_inspection(0), make_inspection(1), make_inspection(2))
    assert history.frames() == frames(0, 1, 2)
