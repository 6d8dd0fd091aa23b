"""A review desk over real records, on SQLite and PostgreSQL, and an archive in the test's own folder."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.contract.settings import RecordsSettings, ReviewSettings, Settings
from services.records.audit import Audit
from services.records.database import Database
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from tests.databases import postgresql_url, url
from tests.review.makers import ANNA, add_line

__all__ = ["postgresql_url", "url"]


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


@pytest.fixture
def review_settings(url: str, tmp_path: Path) -> Settings:
    """Nobody is asked twice, unless a test says so."""
    return Settings(home=tmp_path, records=RecordsSettings(url=url), review=ReviewSettings(second_share=0, blind_turns=0))


@pytest.fixture
def database(review_settings: Settings) -> Iterator[Database]:
    opened = Database(review_settings.records_url)
    yield opened
    opened.close()


@pytest.fixture
def records(database: Database, review_settings: Settings) -> Iterator[Records]:
    opened = Records(review_settings.records_url)
    add_line(opened)
    yield opened
    opened.close()


@pytest.fixture
def archive(review_settings: Settings) -> Archive:
    return Archive(review_settings)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(review_settings: Settings, database: Database, records: Records, archive: Archive, clock: Clock) -> Desk:
    made = Desk.of(review_settings, database, archive, now=clock)
    made.reviews.set_defect_classes("metal", {"scratch": "Scratch", "dent": "Dent"}, by=ANNA)
    return made


@pytest.fixture
def asking_twice(review_settings: Settings, database: Database, desk: Desk, archive: Archive, clock: Clock) -> Desk:
    """Every frame goes to a second reviewer."""
    review = review_settings.review.model_copy(update={"second_share": 1.0})
    made = Desk.of(review_settings.model_copy(update={"review": review}), database, archive, now=clock)
    return replace(made, outbox=desk.outbox)


@pytest.fixture
def audit(database: Database) -> Audit:
    return Audit(database)
