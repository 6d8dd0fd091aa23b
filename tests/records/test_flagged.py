import pytest

from services.contract.batch import NOWHERE, Batch, PositionMovedError, Wrote
from services.contract.inspection import Decision, Inspection
from services.records.store import Records
from tests.builders import TOPIC_ID, make_inspection


def batch(before: int, *inspections: Inspection) -> Batch:
    return Batch("inspections-id", 0, before, before + len(inspections), inspections)


def test_only_flagged_inspections_are_kept(records: Records) -> None:
    flagged = make_inspection(1, decision=Decision.FAIL)

    wrote = records.flagged.write(batch(NOWHERE, make_inspection(0), flagged, make_inspection(2)))

    assert wrote == Wrote(3)
    assert records.flagged.newest() == (flagged,)
    assert (records.flagged.position("inspections-id", 0), records.flagged.position(TOPIC_ID, 0)) == (2, 2)


def test_the_first_record_of_a_frame_counts(records: Records) -> None:
    """A frame inspected again after a calibration changed: what was said first was acted on."""
    records.flagged.write(batch(NOWHERE, make_inspection(0), make_inspection(1, decision=Decision.FAIL)))

    wrote = records.flagged.write(batch(1, make_inspection(0, decision=Decision.FAIL), make_inspection(1), make_inspection(2, decision=Decision.REVIEW)))

    assert wrote == Wrote(1, 2)
    assert [(one.source.offset, one.decision) for one in records.flagged.newest()] == [(2, Decision.REVIEW), (1, Decision.FAIL)]


def test_a_batch_that_does_not_go_on_from_here_is_refused(records: Records) -> None:
    records.flagged.write(batch(NOWHERE, make_inspection(0)))

    with pytest.raises(PositionMovedError) as moved:
        records.flagged.write(batch(5, make_inspection(6, decision=Decision.FAIL)))

    assert moved.value.stands == 0
    assert records.flagged.count() == 0


def test_a_large_batch_is_one_transaction(records: Records) -> None:
    many = [make_inspection(number, decision=Decision.FAIL) for number in range(500)]

    records.flagged.write(batch(NOWHERE, *many))

    assert records.flagged.count("metal") == 500
    assert [one.source.offset for one in records.flagged.newest(3)] == [499, 498, 497]
    assert records.flagged.of("metal/top/s1/7") == many[7]
