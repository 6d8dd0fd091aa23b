"""The first sentence of every module -> docs/files.md: `python -m infra.filetree > docs/files.md`."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("services", "models", "training", "infra")
OPENING = """# Every file

The first sentence of each module, by folder; a test compares this page with the code (`python -m infra.filetree > docs/files.md` writes it).
"""


def file_tree() -> str:
    """The whole page."""
    described = [(path.parent.as_posix(), path.name, purpose(path)) for path in modules()]
    return "".join([OPENING, *(_folder(folder, list(files)) for folder, files in groupby(sorted(described), key=lambda one: one[0]))])


def modules() -> Iterator[Path]:
    """Python files of ours that git keeps, relative to the repository."""
    listed = subprocess.run(["git", "ls-files", *ROOMS], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    yield from (Path(name) for name in listed.splitlines() if name.endswith(".py") and (ROOT / name).is_file())


def purpose(module: Path) -> str:
    """Its docstring's first line; empty where there is none."""
    docstring = ast.get_docstring(ast.parse((ROOT / module).read_text())) or ""
    return docstring.partition("\n")[0]


def _folder(folder: str, files: list[tuple[str, str, str]]) -> str:
    room = next((says for _, name, says in files if name == "__init__.py"), "")
    rows = [f"| `{name}` | {says} |" for _, name, says in files if name != "__init__.py"]
    table = ["| file | what it is for |", "|---|---|", *rows, ""] if rows else []
    return "\n".join([f"\n## {folder}", "", *([room, ""] if room else []), *table])


if __name__ == "__main__":
    sys.stdout.write(file_tree())
