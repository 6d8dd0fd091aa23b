"""The detector learns from good parts alone: nothing that trains can reach the code that draws the synthetic lines' defects."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("services", "models", "training", "infra")


def reachable(start: str) -> set[str]:
    """Every module of ours that a module imports, directly, through another, or inside a function."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen and (path := _file(name)) is not None:
            seen.add(name)
            waiting += [*_imports(path), *_packages(name)]
    return seen


def test_training_reaches_no_service() -> None:
    modules = [f"training.{path.stem}" for path in (ROOT / "training").glob("*.py") if path.stem != "__init__"]

    reached = set().union(*(reachable(module) for module in modules))

    assert "training.synthesis" in reached
    assert sorted(name for name in reached if name.startswith("services.") and not name.startswith("services.contract")) == []


def test_the_walk_sees_an_import_where_there_is_one() -> None:
    """Otherwise the test above would pass for the wrong reason."""
    assert "models.dsr.unet" in reachable("training.stages")


def _file(name: str) -> Path | None:
    if name.split(".")[0] not in OURS:
        return None
    place = ROOT.joinpath(*name.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]
