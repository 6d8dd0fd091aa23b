import threading
from pathlib import Path

import pytest

from services.contract.batch import NOWHERE, Batch, PositionMovedError, Wrote
from services.contract.inspection import Active, Decision, Inspection
from services.contract.names import InvalidIdError
from services.records.errors import AlreadyThereError, RecordsUnreachableError, UnknownCalibrationError, UnknownLineError
from services.records.store import Camera, Records, ReplicaLimits
from tests.builders import MODEL_VERSION, TOPIC_ID, make_calibration, make_inspection


def batch(before: int, *inspections: Inspection) -> Batch:
    return Batch("inspections-id", 0, before, before + len(inspections), inspections)


def test_a_line_comes_with_its_cameras(records: Records) -> None:
    records.add_line("metal", name="Brushed metal", product="plate", push_token="secret", cameras={"top": "push:", "side": "folder:x"})

    line = records.line("metal")

    assert (line.name, line.product, line.when_full, line.paused) == ("Brushed metal", "plate", "wait", False)
    assert set(records.cameras("metal")) == {Camera("metal", "top", "push:"), Camera("metal", "side", "folder:x")}
    assert line.accepts("secret")
    assert not line.accepts("wrong")
    assert "secret" not in str(line)


def test_a_line_is_added_once_and_named_well(records: Records) -> None:
    records.add_line("metal")

    with pytest.raises(AlreadyThereError, match="metal"):
        records.add_line("metal")
    with pytest.raises(InvalidIdError, match="line"):
        records.add_line("Metal!")
    with pytest.raises(UnknownLineError, match=r"expected one of \['metal'\]"):
        records.add_camera("fabric", "top", "push:")


def test_a_line_without_a_model_is_not_judged(records: Records) -> None:
    records.add_line("metal")

    assert records.active("metal") == Active(line="metal")


def test_the_latest_activation_judges_and_none_is_forgotten(records: Records) -> None:
    records.add_line("metal")
    for name in ("c1", "c2"):
        records.add_calibration("metal", MODEL_VERSION, make_calibration(calibration_id=name), {"groups": 300})
    for name in ("c1", "c2", "c1"):
        records.activate("metal", MODEL_VERSION, name, by="somebody")

    records.pause("metal")

    active = records.active("metal")
    assert (active.model_version, active.calibration, active.paused) == (MODEL_VERSION, make_calibration(calibration_id="c1"), True)
    assert [one.calibration_id for one in records.activations("metal")] == ["c1", "c2", "c1"]


def test_an_activation_needs_a_calibration_of_that_model(records: Records) -> None:
    records.add_line("metal")
    records.add_calibration("metal", MODEL_VERSION, make_calibration(), {})

    with pytest.raises(UnknownCalibrationError, match="c1"):
        records.activate("metal", "cd" * 32, "c1", by="somebody")


def test_a_calibration_added_again_stays_as_it_was(records: Records) -> None:
    records.add_line("metal")
    records.add_calibration("metal", MODEL_VERSION, make_calibration(review=0.4), {})
    records.add_calibration("metal", MODEL_VERSION, make_calibration(review=0.1), {})

    assert [one.calibration.review for one in records.calibrations("metal")] == [0.4]


def test_only_flagged_inspections_are_kept(records: Records) -> None:
    flagged = make_inspection(1, decision=Decision.FAIL)

    wrote = records.write(batch(NOWHERE, make_inspection(0), flagged, make_inspection(2)))

    assert wrote == Wrote(3)
    assert records.flagged() == (flagged,)
    assert (records.position("inspections-id", 0), records.position(TOPIC_ID, 0)) == (2, 2)


def test_the_first_record_of_a_frame_counts(records: Records) -> None:
    """A frame inspected again after a calibration changed: what was said first was acted on."""
    records.write(batch(NOWHERE, make_inspection(0), make_inspection(1, decision=Decision.FAIL)))

    wrote = records.write(batch(1, make_inspection(0, decision=Decision.FAIL), make_inspection(1), make_inspection(2, decision=Decision.REVIEW)))

    assert wrote == Wrote(1, 2)
    assert [(one.source.offset, one.decision) for one in records.flagged()] == [(2, Decision.REVIEW), (1, Decision.FAIL)]


def test_a_batch_that_does_not_go_on_from_here_is_refused(records: Records) -> None:
    records.write(batch(NOWHERE, make_inspection(0)))

    with pytest.raises(PositionMovedError) as moved:
        records.write(batch(5, make_inspection(6, decision=Decision.FAIL)))

    assert moved.value.stands == 0
    assert records.count_flagged() == 0


def test_a_large_batch_is_one_transaction(records: Records) -> None:
    many = [make_inspection(number, decision=Decision.FAIL) for number in range(500)]

    records.write(batch(NOWHERE, *many))

    assert records.count_flagged("metal") == 500
    assert [one.source.offset for one in records.flagged(3)] == [499, 498, 497]
    assert records.flagged_inspection("metal/top/s1/7") == many[7]


def test_replica_limits_last(records: Records) -> None:
    assert records.replica_limits() is None

    records.set_replica_limits(ReplicaLimits(0, 3))
    records.set_replica_limits(ReplicaLimits(1, 4))

    assert records.replica_limits() == ReplicaLimits(1, 4)
    with pytest.raises(ValueError, match="min <= max"):
        records.set_replica_limits(ReplicaLimits(3, 2))


def test_writers_wait_for_each_other(records: Records) -> None:
    """Threads that read and then write in one transaction neither fail nor lose a write."""

    def add(thread: int) -> None:
        for number in range(10):
            records.add_line(f"line-{thread}-{number}", cameras={"top": "push:"})

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(records.lines()), len(records.cameras())) == (40, 40)


def test_tables_that_nobody_made_yet_are_told_apart_from_mistakes(tmp_path: Path) -> None:
    with pytest.raises(RecordsUnreachableError, match="no such table"):
        Records(f"sqlite:///{tmp_path / 'new.sqlite'}").lines()


def test_a_database_that_is_away_is_told_apart_from_mistakes() -> None:
    with pytest.raises(RecordsUnreachableError):
        Records("postgresql+psycopg://loupe@127.0.0.1:1/loupe").lines()
