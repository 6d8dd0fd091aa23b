"""History over REST: search, counts, exports and old pictures, with nothing told of blind checks."""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.contract.batch import Batch
from services.contract.inspection import Archived, Decision, Inspection
from services.contract.settings import Settings
from services.contract.verdict import Answer
from services.dashboard.parts import Parts
from services.history.catalog import Catalog
from services.history.writer import HistoryWriter
from services.records.audit import Actor
from services.review.verdicts import Said
from tests.builders import make_inspection, make_jpeg, make_timings
from tests.dashboard.conftest import MemoryStore

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNA = Actor("anna", "supervisor")


class Kept:
    """What the recorder wrote: all of it into the history, what was flagged into the records."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._catalog, self._parts = Catalog(settings.history_path), parts
        self._writer = HistoryWriter(self._catalog, min_free_mb=0)
        parts.records.add_line("metal")

    def add(self, *inspections: Inspection) -> None:
        before = self._writer.position("t", 0)
        self._writer.write(Batch("t", 0, before, before + len(inspections), inspections))
        self._parts.records.flagged.add([one for one in inspections if one.flagged])

    def made(self, number: int, *, reason: str | None = None, **fields: Any) -> Inspection:
        moment = NOON + timedelta(seconds=number)
        if reason is not None:
            path = self._parts.archive.put("frames", make_jpeg(shade=60 + number))
            fields["archived"] = Archived(reason=reason, probability=0.01 if reason == "blind-check" else 1, frame_path=path)  # type: ignore[arg-type]
        return make_inspection(number, timings=make_timings().model_copy(update={"captured_at": moment, "received_at": moment, "written_at": moment}), **fields)

    def answer(self, number: int, answer: Answer = Answer.GOOD, *, by: Actor = ANNA, blind: bool = False, **said: Any) -> None:
        self._parts.desk.verdicts.give(f"metal/top/s1/{number}", Said(answer=answer, blind=blind, **said), by)

    def close(self) -> None:
        self._catalog.close()


@pytest.fixture
def kept(plant_settings: Settings, parts: Parts) -> Iterator[Kept]:
    made = Kept(plant_settings, parts)
    yield made
    made.close()


async def asked(client: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def numbers(client: httpx.AsyncClient, **params: Any) -> list[int]:
    return [row["sequence"] for row in (await asked(client, "history", **params))["rows"]]


async def test_pages_follow_each_other(client: httpx.AsyncClient, kept: Kept) -> None:
    kept.add(*(kept.made(number) for number in range(5)))

    first = await asked(client, "history", limit=3)
    second = await asked(client, "history", limit=3, after=first["after"])

    assert [row["sequence"] for page in (first, second) for row in page["rows"]] == [4, 3, 2, 1, 0]
    assert second["after"] is None


async def test_a_row_has_the_verdict_that_counts_now(client: httpx.AsyncClient, kept: Kept, parts: Parts) -> None:
    parts.desk.reviews.set_defect_classes("metal", {"scratch": "Scratch"}, by=ANNA)
    kept.add(kept.made(0, reason="flagged", decision=Decision.FAIL), kept.made(1))
    kept.answer(0, Answer.DEFECT, defect_class="scratch")

    plain, answered = (await asked(client, "history"))["rows"]

    assert plain["verdict"] is None
    assert {name: answered["verdict"][name] for name in ("answer", "defect_class", "given_by")} == {
        "answer": "defect",
        "defect_class": "scratch",
        "given_by": "anna",
    }
    assert (await asked(client, "history/frames/metal/top/s1/0"))["verdict"] == answered["verdict"]


async def test_a_blind_check_tells_nothing_before_it_is_answered_and_all_of_it_after(client: httpx.AsyncClient, kept: Kept) -> None:
    kept.add(kept.made(0, reason="blind-check"), kept.made(1, reason="blind-check"), kept.made(2))
    telling = ("score", "decision", "model_version", "calibration_id", "map_kind", "archived_reason", "archived_probability")
    kept.answer(1, blind=True)

    rows = {row["sequence"]: row for row in (await asked(client, "history"))["rows"]}
    alone = await asked(client, "history/frames/metal/top/s1/0")

    assert [rows[number]["blind"] for number in range(3)] == [True, False, False]
    assert {rows[0][name] for name in telling} == {alone[name] for name in telling} == {None}
    assert alone["blind"]
    assert rows[1]["score"] == 0.1
    assert rows[1]["verdict"]["answer"] == "good"
    for filters in ({"score_from": 0.0}, {"score_to": 1}, {"decision": "pass"}, {"model_version": "ab"}):
        assert await numbers(client, **filters) == [2, 1]
        assert sum(one["inspections"] for one in await asked(client, "history/counts", **filters)) == 2
    assert (await client.get("/api/v1/history/frames/metal/top/s1/0/map")).status_code == 403
    assert (await client.get("/api/v1/history/frames/metal/top/s1/0/image")).status_code == 200


async def test_an_answer_that_a_second_reviewer_is_to_give_blind_is_hidden_from_them(
    client: httpx.AsyncClient, kept: Kept, plant_settings: Settings, parts: Parts
) -> None:
    kept.add(kept.made(0, reason="flagged", decision=Decision.FAIL))
    every_one = plant_settings.review.model_copy(update={"second_share": 1.0})
    parts.desk.verdicts._settings = every_one  # type: ignore[attr-defined]
    kept.answer(0, Answer.DEFECT)

    [row] = (await asked(client, "history"))["rows"]

    assert row["blind"]
    assert (row["score"], row["verdict"]) == (None, None)
    assert await numbers(client, decision="fail") == []


async def test_counts_by_hour(client: httpx.AsyncClient, kept: Kept) -> None:
    kept.add(kept.made(0), kept.made(1, reason="flagged", decision=Decision.FAIL), kept.made(2, reason="blind-check"))

    [hour] = await asked(client, "history/counts", by="hour", since=NOON.isoformat())

    assert {name: hour[name] for name in ("inspections", "passed", "review", "failed", "hidden")} == {
        **{"inspections": 3, "passed": 1, "review": 0, "failed": 1, "hidden": 1}
    }


async def test_csv_has_every_row_and_no_formula(client: httpx.AsyncClient, kept: Kept, parts: Parts) -> None:
    kept.add(kept.made(0, part_id="=1+1"), kept.made(1, reason="blind-check"))

    answer = await client.get("/api/v1/history.csv", params={"line": "metal"})

    blind, plain = csv.DictReader(io.StringIO(answer.text))
    assert (plain["part_id"], plain["score"], plain["blind"]) == ("'=1+1", "0.1", "")
    assert (blind["frame_id"], blind["score"], blind["decision"], blind["archived_reason"], blind["blind"]) == ("metal/top/s1/1", "", "", "", "yes")
    assert parts.people.audit.deeds(limit=1)[0].action == "history.export"


async def test_zip_has_pictures_by_verdict_and_says_what_is_missing(client: httpx.AsyncClient, kept: Kept, parts: Parts) -> None:
    parts.desk.reviews.set_defect_classes("metal", {"scratch": "Scratch"}, by=ANNA)
    inspections = [kept.made(number, reason="flagged", decision=Decision.FAIL) for number in range(4)]
    kept.add(*inspections, kept.made(4))
    kept.answer(0)
    kept.answer(1, Answer.DEFECT, defect_class="scratch")
    kept.answer(3)
    gone = inspections[3].archived
    assert gone is not None
    (parts.settings.home / "archive" / gone.frame_path).unlink()

    answer = await client.get("/api/v1/history.zip")

    bundle = zipfile.ZipFile(io.BytesIO(answer.content))
    assert sorted(bundle.namelist()) == ["frames.csv", "metal/test/good/top_s1_0.jpg", "metal/test/scratch/top_s1_1.jpg", "missing.csv"]
    missing = {(row["frame_id"], row["what"]) for row in csv.DictReader(io.StringIO(bundle.read("missing.csv").decode()))}
    assert missing == {("metal/top/s1/1", "mask"), ("metal/top/s1/3", "picture")}


@pytest.mark.parametrize(
    "params", [{"after": "x"}, {"score_from": 2}, {"since": "2026-01-01T00:00:00"}, {"decision": "maybe"}, {"limit": 5000}, {"nonsense": 1}]
)
async def test_a_question_that_makes_no_sense_is_422(client: httpx.AsyncClient, kept: Kept, params: dict[str, Any]) -> None:
    assert (await client.get("/api/v1/history", params=params)).status_code == 422


async def test_a_passed_part_of_long_ago_can_be_opened_without_its_picture(client: httpx.AsyncClient, kept: Kept, store: MemoryStore) -> None:
    kept.add(kept.made(7))
    store.away = True  # the history does not need the live view

    assert (await asked(client, "history/frames/metal/top/s1/7"))["score"] == 0.1
    assert (await client.get("/api/v1/history/frames/metal/top/s1/7/image")).status_code == 404
    assert (await client.get("/api/v1/history/frames/metal/top/s1/8")).status_code == 404


async def test_how_much_is_kept(client: httpx.AsyncClient, kept: Kept) -> None:
    kept.add(kept.made(0), kept.made(1))

    extent = await asked(client, "history/extent")

    assert (extent["inspections"], extent["first_day"], extent["problem"]) == (2, "2026-03-02", "")
