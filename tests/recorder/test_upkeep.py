"""What the archive may drop."""

import threading
from pathlib import Path

import pytest

from services.contract.settings import ArchiveSettings, ReviewSettings, Settings
from services.contract.verdict import Answer
from services.recorder.upkeep import Upkeep
from services.records.collecting import Collecting, Recorded
from services.records.database import Database
from services.records.store import Records
from services.results.archive import Archive, ArchiveError
from services.results.connection import Redis
from services.review.desk import Desk
from services.review.verdicts import Said
from tests.databases import with_tables
from tests.review.makers import ANNA, add_line, drawn, flag


def test_what_a_verdict_names_stays_and_the_rest_goes_with_its_age(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, archive=ArchiveSettings(max_age_days=1e-9), review=ReviewSettings(second_share=0))
    with_tables(settings.records_url)
    records, database, archive = Records(settings.records_url), Database(settings.records_url), Archive(settings)
    add_line(records)
    answered, unanswered = (flag(records, archive, number).archived for number in (1, 2))
    assert answered is not None
    assert unanswered is not None
    given = Desk.of(settings, database, archive).verdicts.give("metal/top/s1/1", Said(answer=Answer.DEFECT, upload=drawn()), ANNA)

    Upkeep(settings, records, Redis(), threading.Event()).sweep()  # Redis connects when it is asked something

    assert archive.get(given.frame_path)
    assert archive.get(given.mask_path or "")
    with pytest.raises(ArchiveError):
        archive.get(unanswered.frame_path)
    records.close()
    database.close()


def test_what_a_dataset_version_is_made_of_stays_though_nobody_answered_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, archive=ArchiveSettings(max_age_days=1e-9))
    with_tables(settings.records_url)
    records, archive = Records(settings.records_url), Archive(settings)
    kept, dropped = (archive.put("frames", content) for content in (b"drawn", b"flagged"))
    version = settings.datasets_path / "versions" / ("ab" * 32)
    version.mkdir(parents=True)
    (version / "manifest.jsonl").write_text(f'{{"path": "{kept}"}}\n')

    Upkeep(settings, records, Redis(), threading.Event()).sweep()

    assert archive.get(kept) == b"drawn"
    with pytest.raises(ArchiveError):
        archive.get(dropped)
    records.close()


def test_what_somebody_kept_for_a_first_training_stays_and_what_they_threw_out_goes(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, archive=ArchiveSettings(max_age_days=1e-9))
    with_tables(settings.records_url)
    records, database, archive = Records(settings.records_url), Database(settings.records_url), Archive(settings)
    records.add_line("metal")
    kept, dropped = (Recorded(f"metal/top/s1/{number}", archive.put("frames", bytes([number])), f"metal/part/{number}") for number in (1, 2))
    Collecting(database).choose("metal", keep=[kept], drop=[dropped], by=ANNA)

    Upkeep(settings, records, Redis(), threading.Event()).sweep()

    assert archive.get(kept.path)
    with pytest.raises(ArchiveError):
        archive.get(dropped.path)
    records.close()
    database.close()
