"""The page about settings says what the code says."""

from pathlib import Path

from services.contract.reference import settings_reference, undescribed
from services.contract.settings import Settings
from services.ingest.address import parse_source

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_code_would_write() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_reference(), "run: python -m services.contract.reference > docs/settings.md"


def test_every_key_is_explained() -> None:
    assert list(undescribed()) == []


def test_every_section_has_its_table() -> None:
    page = settings_reference()

    assert [name for name in Settings.model_fields if f"[{name}]" not in page and f"`{name}`" not in page] == []


def test_the_sources_on_the_page_are_sources() -> None:
    page = settings_reference()
    examples = [line.split("`")[1] for line in page.partition("## Sources")[2].splitlines() if line.startswith("| `")]

    assert len(examples) == 4
    for example in examples:
        parse_source(example.replace("PATH", "/some/where").replace("KIND", "ceramic-tile"))
