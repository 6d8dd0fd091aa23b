"""Dataset versions over REST: made of what people said, listed and shown, without a word on single frames."""

import asyncio
from pathlib import Path

import httpx
import pytest

from services.contract.settings import Settings
from services.contract.verdict import Answer
from services.dashboard.people import People
from services.records.accounts import Role
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from services.review.verdicts import Said
from tests.review.makers import ANNA
from tests.training.dataset_makers import drawn


@pytest.fixture(autouse=True)
def frames(records: Records, archive: Archive, desk: Desk) -> None:
    """Twelve drawn frames; two are answered."""
    records.add_line("metal")
    records.flagged.add([drawn(archive, number) for number in range(12)])  # type: ignore[arg-type]
    for number in (0, 1):
        desk.verdicts.give(f"metal/top/s1/{number}", Said(answer=Answer.GOOD, blind=True), ANNA)


async def test_a_version_is_made_once_listed_and_shown(client: httpx.AsyncClient, people: People) -> None:
    made, again = await client.post("/api/v1/lines/metal/datasets"), await client.post("/api/v1/lines/metal/datasets")

    assert (made.status_code, again.status_code) == (201, 200)
    version = made.json()
    assert again.json() == version
    assert sum(split["good"] for split in version["splits"].values()) == 2
    assert version["splits"]["train"]["unreviewed"] + sum(version["left_out"].values()) == 10
    assert (await client.get("/api/v1/datasets", params={"line": "metal"})).json() == [version]
    assert (await client.get("/api/v1/datasets", params={"line": "fabric"})).json() == []
    assert (await client.get("/api/v1/datasets/metal")).json() == (await client.get(f"/api/v1/datasets/{version['id'][:8]}")).json() == version
    assert [(deed.user, deed.subject) for deed in people.audit.deeds(action="dataset.build")] == [("token:client", "metal")]


async def test_no_answer_names_a_frame_that_somebody_may_have_to_answer_blind(client: httpx.AsyncClient) -> None:
    answers = [await client.post("/api/v1/lines/metal/datasets"), await client.get("/api/v1/datasets"), await client.get("/api/v1/datasets/metal")]

    assert [one.status_code for one in answers] == [201, 200, 200]
    assert [one for one in answers if "metal/top" in one.text] == []


async def test_two_who_ask_at_once_get_the_same_version(client: httpx.AsyncClient) -> None:
    first, second = await asyncio.gather(*(client.post("/api/v1/lines/metal/datasets") for _ in range(2)))

    assert {first.status_code, second.status_code} == {200, 201}
    assert first.json()["id"] == second.json()["id"]


async def test_what_is_not_there_or_cannot_be_built_is_said(client: httpx.AsyncClient, records: Records, archive: Archive, plant_settings: Settings) -> None:
    records.add_line("fabric")
    made = (await client.post("/api/v1/lines/metal/datasets")).json()
    empty(plant_settings.datasets_path / "versions" / made["id"] / "manifest.jsonl")

    answers = {
        "GET": [(await client.get(f"/api/v1/datasets/{name}")) for name in ("fabric", "0" * 12, "metal")],
        "POST": [(await client.post(f"/api/v1/lines/{line}/datasets")) for line in ("nowhere", "fabric")],
    }

    assert {method: [one.status_code for one in found] for method, found in answers.items()} == {"GET": [404, 404, 500], "POST": [404, 409]}
    assert "review flagged frames" in answers["POST"][1].json()["detail"]


def empty(path: Path) -> None:
    path.write_text("")


@pytest.mark.parametrize(("role", "made"), [(Role.OPERATOR, 403), (Role.SUPERVISOR, 201)])
async def test_a_supervisor_makes_versions_and_an_operator_looks_at_them(anybody: httpx.AsyncClient, people: People, role: Role, made: int) -> None:
    headers = {"authorization": f"Bearer {people.logins.add_token('machine', role, by=ANNA)}"}

    assert (await anybody.post("/api/v1/lines/metal/datasets", headers=headers)).status_code == made
    assert (await anybody.get("/api/v1/datasets", headers=headers)).status_code == 200
