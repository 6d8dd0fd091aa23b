"""Which module of ours imports what, read from the source: inside functions and under TYPE_CHECKING too."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = ("services", "models", "training", "infra")


def modules() -> list[str]:
    """Every module of ours, by its dotted name."""
    files = [path for folder in OURS for path in (ROOT / folder).rglob("*.py")]
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files)


@cache
def imports(module: str) -> frozenset[str]:
    """What a module imports, ours and others' (`from a import b` is both `a` and `a.b`); nothing for a module that is not ours."""
    path = _file(module)
    if path is None:
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(module, path, node)
            found |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def reachable(start: str) -> set[str]:
    """Every module, ours or not, that importing `start` may load: directly, through another of ours, through their packages."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [*imports(name), *_packages(name)]
    return seen


def room(module: str) -> str:
    """`services.bus.topics` -> `services.bus`, `training.loop` -> `training`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "services" else parts[0]


def _file(module: str) -> Path | None:
    if module.split(".")[0] not in OURS:
        return None
    place = ROOT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _absolute(module: str, path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]
