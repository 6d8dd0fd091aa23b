"""What the pages for people say of the code is so: rooms, files, commands, links, and no number without a command."""

import re
import tomllib
from pathlib import Path

import pytest

from infra.filetree import file_tree, modules, purpose
from tests.import_graph import ROOT, room

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def tree() -> dict[str, str]:
    """Path -> purpose, from the README's tree."""
    block = README.partition("## The rooms\n\n```\n")[2].partition("```")[0]
    paths: dict[str, str] = {}
    top = ""
    for line in block.splitlines():
        name, _, says = line.strip().partition(" ")
        top = name if not line.startswith(" ") else top
        paths[name if not line.startswith(" ") else top + name] = says.strip()
    return paths


def test_every_path_of_the_tree_exists_and_has_a_purpose() -> None:
    assert [path for path, says in tree().items() if not (ROOT / path).exists() or not says] == []


def test_every_room_is_in_the_tree() -> None:
    rooms = {room(".".join(path.with_suffix("").parts)) for path in modules()}
    folders = {f"{one.replace('.', '/')}/" for one in rooms if one != "services.__init__"}

    assert sorted(folders - set(tree())) == []


def test_every_module_says_what_it_is_for() -> None:
    assert [str(path) for path in modules() if not purpose(path)] == []


def test_the_page_of_files_is_what_the_code_would_write() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files are ours is not known")
    assert (ROOT / "docs" / "files.md").read_text() == file_tree(), "run: python -m infra.filetree > docs/files.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()) if "://" not in link]

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """`loupe <verb>` and `make <target>` as the pages spell them."""
    from typer.main import get_command

    from services.cli import app

    verbs = set(get_command(app).commands)  # type: ignore[attr-defined]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text()
    named = set(re.findall(r"(?:^|`)loupe ([a-z]+)", text, re.MULTILINE))
    made = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))

    assert (sorted(named - verbs), sorted(made - targets)) == ([], [])


def test_options_of_commands_in_the_readme_exist() -> None:
    from typer.main import get_command

    from services.cli import app

    lines = [line for line in re.findall(r"(?:^|`)(loupe [^`\n]*)", README, re.MULTILINE) if "--" in line]
    assert len(lines) > 4
    for line in lines:
        command = get_command(app)
        words = line.split()[1:]
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
        known = {spelling for parameter in command.params for spelling in (*parameter.opts, *parameter.secondary_opts)}
        assert [word for word in words if word.startswith("--") and word not in known] == [], line


def test_the_example_settings_are_settings() -> None:
    from services.contract.settings import Settings

    examples = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)

    assert examples
    for example in examples:
        Settings(**tomllib.loads(example))


def test_every_row_of_measured_numbers_names_the_command_that_prints_it() -> None:
    measured = README.partition("## Measured")[2].partition("\n## ")[0]
    rows = [line for line in measured.splitlines() if line.startswith("|")][2:]

    assert [row for row in rows if "`loupe " not in row and "`make " not in row and "`python " not in row] == []
