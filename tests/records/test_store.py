import threading
from pathlib import Path

import pytest

from services.contract.inspection import Active
from services.contract.names import InvalidIdError
from services.records.errors import AlreadyThereError, RecordsUnreachableError, UnknownCalibrationError, UnknownLineError
from services.records.store import Camera, Records, ReplicaLimits
from tests.builders import MODEL_VERSION, make_calibration


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
