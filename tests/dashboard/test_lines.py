"""A line added at run time with a model is judged from then on, by what the model's card suggests."""

from pathlib import Path

import pytest

from services.contract.inspection import Active
from services.contract.settings import Settings
from services.dashboard.lines import UnusableModelError, add_line
from services.dashboard.views import NewLine
from services.records.audit import Actor
from services.records.store import Records
from tests.databases import with_tables

ANNA = Actor("anna", "admin")


class Store:
    """What would be the live view."""

    def __init__(self) -> None:
        self.told: list[Active] = []

    async def set_active(self, active: Active) -> None:
        self.told.append(active)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(home=tmp_path)
    with_tables(found.records_url)
    return found


async def test_a_line_with_a_model_is_judged_at_once(settings: Settings) -> None:
    records, store = Records(settings.records_url), Store()

    await add_line(NewLine(id="ceramic-tile", model="demo"), settings=settings, records=records, store=store, by=ANNA)  # type: ignore[arg-type]

    [active] = store.told
    assert active.judging
    assert active == records.active("ceramic-tile")
    assert (settings.models_path / str(active.model_version)).is_dir()


async def test_a_model_that_says_nothing_of_the_line_leaves_no_line_behind(settings: Settings) -> None:
    records = Records(settings.records_url)

    with pytest.raises(UnusableModelError, match="loupe calibrate"):
        await add_line(NewLine(id="bracket", model="demo"), settings=settings, records=records, store=Store(), by=ANNA)  # type: ignore[arg-type]

    assert records.lines() == ()
