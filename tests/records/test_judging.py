"""What judges a line, product by product: who changes it is written down with it, and of two people the second one is told."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from services.contract.inspection import Calibration
from services.records.audit import Actor, Audit
from services.records.database import Database
from services.records.errors import ChangedMeanwhileError, NoEarlierModelError, RecordsError, UnknownCalibrationError, UnknownLineError
from services.records.judging import Judgement, Judging, WayBack
from services.records.store import JudgedBy, Records, ReplicaLimits
from tests.builders import MODEL_VERSION, make_calibration

ANNA, OTTO = Actor("anna", "supervisor"), Actor("otto", "supervisor")
OTHER = "cd" * 32


@pytest.fixture
def database(url: str, records: Records) -> Iterator[Database]:
    opened = Database(url)
    records.add_line("metal", judged_by=JudgedBy(MODEL_VERSION, make_calibration(), {"groups": 300}), by=ANNA)
    yield opened
    opened.close()


@pytest.fixture
def judging(database: Database) -> Judging:
    return Judging(database)


def thresholds(name: str, review: float = 0.3, fail: float = 0.6) -> Calibration:
    return make_calibration(calibration_id=name, review=review, fail=fail)


def moved(judging: Judging, name: str, *, seen: int, by: Actor = ANNA, product: str | None = None) -> Judgement:
    return judging.set_calibration("metal", thresholds(name), {}, product=product, seen=seen, by=by, reason="too many rejects")


def test_other_thresholds_judge_at_once_and_the_ones_before_are_kept(judging: Judging, records: Records) -> None:
    [before] = judging.current("metal")

    after = moved(judging, "c2", seen=before.id)

    assert records.active("metal").calibration == thresholds("c2")
    assert [(one.id, one.by, one.reason) for one in judging.history("metal", None)] == [(after.id, "anna", "too many rejects"), (before.id, "anna", None)]
    assert after.model_version == MODEL_VERSION


def test_all_that_ever_judged_a_line_is_told_newest_first(judging: Judging) -> None:
    judging.judge_product("metal", "tile", OTHER, thresholds("c2"), {}, by=OTTO, reason="tiles come too")

    assert [(one.model_version, one.product, one.by) for one in judging.activations("metal")] == [(OTHER, "tile", "otto"), (MODEL_VERSION, None, "anna")]
    assert len(judging.activations("metal", 1)) == 1
    with pytest.raises(UnknownLineError):
        judging.activations("nowhere")


def test_the_second_of_two_people_is_told_and_changes_nothing(judging: Judging, database: Database) -> None:
    [seen] = judging.current("metal")
    moved(judging, "c2", seen=seen.id, by=OTTO)

    with pytest.raises(ChangedMeanwhileError, match="by otto"):
        moved(judging, "c3", seen=seen.id)

    assert [one.calibration.calibration_id for one in judging.history("metal", None)] == ["c2", "c1"]
    assert [deed.user for deed in Audit(database).deeds(action="calibration.")] == ["otto"]


def test_earlier_thresholds_of_the_same_model_are_one_step_away(judging: Judging, records: Records) -> None:
    [first] = judging.current("metal")
    second = moved(judging, "c2", seen=first.id)

    judging.go_back("metal", "c1", product=None, seen=second.id, by=OTTO, reason="missed a scratch")

    assert records.active("metal").calibration == make_calibration()
    assert len(judging.history("metal", None)) == 3
    with pytest.raises(UnknownCalibrationError, match="c9"):
        judging.go_back("metal", "c9", product=None, seen=judging.current("metal")[0].id, by=OTTO, reason="no such")


def test_thresholds_of_another_model_are_no_way_back(judging: Judging, records: Records) -> None:
    records.add_calibration("metal", OTHER, thresholds("other"))
    now = records.activate("metal", OTHER, "other", by="anna")

    with pytest.raises(UnknownCalibrationError, match="with the model of now"):
        judging.go_back("metal", "c1", product=None, seen=now.id, by=ANNA, reason="another model")


def test_a_change_and_its_audit_row_are_one_transaction(judging: Judging, database: Database) -> None:
    [seen] = judging.current("metal")
    moved(judging, "c2", seen=seen.id)
    judging.set_product("metal", "plate", by=OTTO)
    judging.set_blind_check_rate("metal", 0.05, by=OTTO)

    told = {deed.action: (deed.user, deed.subject, deed.details) for deed in Audit(database).deeds()}

    assert told["calibration.set"][2]["from"] == {"calibration": "c1", "review": 0.4, "fail": 0.7}
    assert told["calibration.set"][2]["to"] == {"calibration": "c2", "review": 0.3, "fail": 0.6}
    assert told["line.product"] == ("otto", "metal", {"from": None, "to": "plate"})
    assert told["line.blind-check-rate"] == ("otto", "metal", {"from": None, "to": 0.05})


def test_lines_pauses_and_limits_are_written_down_with_who_changed_them(records: Records, database: Database) -> None:
    records.pause("metal", by=OTTO)
    records.resume("metal")
    records.set_replica_limits(ReplicaLimits(1, 2), by=ANNA)
    with pytest.raises(ValueError, match="expected 0 <= min"):
        records.set_replica_limits(ReplicaLimits(3, 2), by=ANNA)

    assert [(deed.user, deed.action) for deed in Audit(database).deeds()] == [("anna", "replicas.set"), ("otto", "line.pause"), ("anna", "line.add")]


def test_a_changeover_takes_model_and_calibration_with_it(judging: Judging, records: Records) -> None:
    judging.judge_product("metal", "plate", MODEL_VERSION, thresholds("p"), {}, by=ANNA, reason="new product")
    judging.judge_product("metal", "ring", OTHER, thresholds("r", review=0.2), {}, by=ANNA, reason="new product")

    judging.set_product("metal", "ring", by=OTTO)

    active = records.active("metal")
    assert (active.product, active.model_version, active.calibration) == ("ring", OTHER, thresholds("r", review=0.2))
    assert active.of_product("plate").model_version == MODEL_VERSION
    assert not active.of_product("washer").judging
    assert active.versions == {MODEL_VERSION, OTHER}
    assert [one.product for one in judging.current("metal")] == [None, "plate", "ring"]


def test_a_line_whose_activations_name_no_product_judges_whatever_comes(judging: Judging, records: Records) -> None:
    judging.set_product("metal", "plate", by=ANNA)

    active = records.active("metal")

    assert active.judging
    assert (active.of_product("ring").product, active.of_product("ring").calibration) == ("ring", make_calibration())


def test_thresholds_are_of_one_product_and_leave_the_others_alone(judging: Judging, records: Records) -> None:
    plate = judging.judge_product("metal", "plate", MODEL_VERSION, thresholds("p"), {}, by=ANNA, reason="new product")
    judging.judge_product("metal", "ring", OTHER, thresholds("r"), {}, by=ANNA, reason="new product")

    moved(judging, "p2", seen=plate.id, product="plate")

    assert {product: judges.calibration.calibration_id for product, judges in records.active("metal").products.items()} == {"plate": "p2", "ring": "r"}


@pytest.mark.parametrize("table", ["calibrations", "activations"])
def test_the_database_itself_keeps_what_was_decided(database: Database, table: str) -> None:
    with pytest.raises(RecordsError, match="only ever added"), database.writing() as session:
        session.execute(text(f"UPDATE {table} SET model_version = 'x'"))


def test_a_line_that_is_not_there_is_named(judging: Judging) -> None:
    for attempt in (lambda: judging.current("fabric"), lambda: judging.set_product("fabric", "x", by=ANNA)):
        with pytest.raises(UnknownLineError, match=r"expected one of \['metal'\]"):
            attempt()


def promoted(judging: Judging, over: str = MODEL_VERSION, to: str = OTHER) -> Judgement:
    return judging.promote("metal", to, thresholds(f"of-{to[:4]}"), {"groups": 310}, over=over, by=ANNA, reason="the gate passed it")


def test_a_promoted_model_judges_with_thresholds_of_its_own_and_a_rollback_brings_the_one_before(
    judging: Judging, records: Records, database: Database
) -> None:
    after = promoted(judging)
    assert (after.model_version, after.calibration, after.reason) == (OTHER, thresholds("of-cdcd"), "the gate passed it")
    assert (records.active("metal").model_version, records.active("metal").calibration) == (OTHER, thresholds("of-cdcd"))

    back = judging.roll_back("metal", judging.way_back("metal"), by=OTTO, reason="too many rejects")

    assert (back.model_version, back.calibration) == (MODEL_VERSION, make_calibration())
    assert [(deed.user, deed.action) for deed in Audit(database).deeds(action="model.")] == [("otto", "model.rollback"), ("anna", "model.promote")]
    [promote] = Audit(database).deeds(action="model.promote")
    assert (promote.details["model_from"], promote.details["model_to"]) == (MODEL_VERSION, OTHER)


def test_a_candidate_that_was_compared_with_another_champion_is_not_promoted(judging: Judging) -> None:
    promoted(judging)

    with pytest.raises(ChangedMeanwhileError, match="by anna"):
        promoted(judging, to="ef" * 32)


def test_a_rollback_passes_over_other_thresholds_of_the_same_model(judging: Judging) -> None:
    [first] = judging.current("metal")
    moved(judging, "c2", seen=first.id)
    now = promoted(judging)
    moved(judging, "c3", seen=now.id)

    assert judging.roll_back("metal", judging.way_back("metal"), by=ANNA, reason="back").calibration == thresholds("c2")


def test_without_an_earlier_model_there_is_no_rollback(judging: Judging) -> None:
    with pytest.raises(NoEarlierModelError, match="line metal"):
        judging.roll_back("metal", judging.way_back("metal"), by=ANNA, reason="back")


def test_a_rollback_brings_any_version_that_judged_before_and_no_other(judging: Judging) -> None:
    promoted(judging)
    third = promoted(judging, over=OTHER, to="ef" * 32)
    assert judging.way_back("metal") == WayBack(to=OTHER, over=third.model_version)
    back = judging.way_back("metal", MODEL_VERSION[:8])

    assert judging.roll_back("metal", back, by=ANNA, reason="the first was best").model_version == MODEL_VERSION
    with pytest.raises(ChangedMeanwhileError, match="by anna"):
        judging.roll_back("metal", back, by=ANNA, reason="twice")
    with pytest.raises(NoEarlierModelError, match="begins with '99999999' and that judged before, got none"):
        judging.way_back("metal", "99999999")
