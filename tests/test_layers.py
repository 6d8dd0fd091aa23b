"""The rooms of the design: who may import whom, who alone speaks to which store, and what a Serve process may never load."""

import subprocess
import sys

import pytest

from tests.import_graph import imports, modules, reachable, room

LAYERS: tuple[set[str], ...] = (
    {"services", "services.contract"},
    {"services.bus", "services.results", "services.records", "services.history", "models"},
    {"services.ingest", "services.inspection", "services.recorder", "services.review", "training"},
    {"services.dashboard", "services.trainer"},
    {"infra"},
    {"services.cli"},  # beside infra in the design; `loupe up` starts the embedded stack, and nothing there imports a verb
)
HEIGHT: dict[str, int] = {name: height for height, layer in enumerate(LAYERS) for name in layer}

ONLY_IMPORTER = {
    "kafka": {"services.bus"},
    "redis": {"services.results"},
    "sqlalchemy": {"services.records"},
    "alembic": {"services.records"},
    "psycopg": {"services.records"},
    "argon2": {"services.records"},
    "fsspec": {"services.results"},
    "duckdb": {"services.history"},
    "pyarrow": {"services.history"},
    "nicegui": {"services.dashboard"},
    "typer": {"services.cli"},
    "jgo": {"infra"},
}
PROBES = {("infra.embedded.kafka", "kafka"), ("infra.embedded.redis", "redis")}
"""The embedded stack asks the servers that it has just started whether they answer, before there are settings to connect with."""

SERVE_PROCESSES = ("services.inspection.application", "services.inspection.autoscaling")
SQL = ("services.records", "sqlalchemy", "alembic", "psycopg", "mlflow")


def test_every_module_is_in_a_room_of_the_design() -> None:
    assert sorted({room(module) for module in modules()} - set(HEIGHT)) == []


@pytest.mark.parametrize("importer", sorted(HEIGHT))
def test_a_room_imports_only_from_below(importer: str) -> None:
    found = {f"{module} imports {name}" for module in modules() if room(module) == importer for name in imports(module) if not _allowed(importer, name)}

    assert sorted(found) == []


@pytest.mark.parametrize(("package", "rooms"), ONLY_IMPORTER.items())
def test_one_room_speaks_to_each_store(package: str, rooms: set[str]) -> None:
    importers = {module for module in modules() for name in imports(module) if name.split(".")[0] == package and (module, package) not in PROBES}

    assert sorted(module for module in importers if room(module) not in rooms) == []


@pytest.mark.parametrize("process", SERVE_PROCESSES)
def test_a_serve_process_opens_no_sql(process: str) -> None:
    assert sorted(name for name in reachable(process) if name.startswith(SQL)) == []


def test_the_contract_imports_nothing_else_of_ours() -> None:
    reached = set().union(*(reachable(module) for module in modules() if room(module) == "services.contract"))

    assert {room(name) for name in reached if name in modules()} == {"services", "services.contract"}


def test_training_cannot_reach_what_draws_defects() -> None:
    """The detector learns from good parts alone, as the paper does; `tests/training/test_good_only.py` holds more of this."""
    reached = set().union(*(reachable(module) for module in modules() if room(module) == "training"))

    assert sorted(name for name in reached if name.startswith("services.ingest")) == []


@pytest.mark.parametrize("verb", ["services.cli.synthesize", "services.cli.models"])
def test_a_verb_that_makes_or_reads_training_pictures_cannot_reach_a_defect(verb: str) -> None:
    """What the package around it imports for other verbs is not asked."""
    reached = set().union(*(reachable(name) for name in imports(verb) if not name.startswith("services.cli")))

    assert "services.ingest.synthetic.parts" in reached
    assert sorted(name for name in reached if name in ("services.ingest.synthetic.line", "services.ingest.synthetic.defects")) == []


@pytest.mark.parametrize(
    ("program", "heavy"),
    [
        ("services.cli", ("torch", "ray", "kafka", "redis", "sqlalchemy", "nicegui", "cv2")),  # before a verb runs
        ("services.dashboard.application", ("torch", "ray", "sklearn")),
    ],
)
def test_what_people_wait_for_loads_nothing_heavy(program: str, heavy: tuple[str, ...]) -> None:
    asked = f"import sys, {program}; print([name for name in {heavy} if name in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout

    assert loaded.strip() == "[]"


def test_the_walk_sees_what_is_there() -> None:
    """Otherwise the tests above would pass for the wrong reason."""
    assert "sqlalchemy" in reachable("services.inspection.deploy")
    assert "services.contract.names" in imports("services.contract.frame")


def _allowed(importer: str, name: str) -> bool:
    imported = room(name)
    return imported not in HEIGHT or imported == importer or HEIGHT[imported] < HEIGHT[importer]
