"""No container engine runs these tests, so they read what would run: every service, port, variable, path and command against the code."""

import importlib.util
import os
import re
import shutil
import subprocess
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from infra.containers.probe import main as probe
from infra.embedded.ray import RESOURCES
from services.contract.settings import LOOPBACK, Settings, load

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
READ_SETTINGS = {name: service for name, service in OURS.items() if not name.startswith("ray-")}
RAY_NODES = {name: service for name, service in OURS.items() if name.startswith("ray-")}
GIVEN = {"REDIS_PASSWORD": "from-env-1", "POSTGRES_PASSWORD": "from-env-2", "RAY_AUTH_TOKEN": "from-env-3"}
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def interpolated(value: str) -> str:
    """As compose would: `${NAME:-default}`, `${NAME:?message}`."""
    return VARIABLE.sub(lambda found: GIVEN.get(found[1], found[3] or ""), value)


def settings_of(service: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What the process in that container would read, with this repository's loupe.toml at the place it is mounted."""
    for name in [name for name in os.environ if name.startswith("LOUPE_")]:
        monkeypatch.delenv(name)
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, interpolated(value))
    monkeypatch.setenv("LOUPE_CONFIG", str(ROOT / "loupe.toml"))
    return load()


def module_of(service: dict[str, Any]) -> str:
    found = re.search(r"python,? -m,? ([\w.]+)", " ".join(service["command"]))
    assert found is not None
    return found[1]


# The services


def test_every_process_of_the_embedded_stack_has_its_container() -> None:
    assert {module_of(service) for service in READ_SETTINGS.values()} == {
        "services.inspection",
        "services.recorder",
        "services.ingest",
        "services.dashboard",
        "services.trainer",
    }
    assert {"kafka", "redis", "postgres", "ray-head", "ray-worker", "ray-gpu-worker"} <= set(SERVICES)


@pytest.mark.parametrize("name", READ_SETTINGS)
def test_a_container_runs_a_module_of_ours(name: str) -> None:
    assert importlib.util.find_spec(f"{module_of(SERVICES[name])}.__main__") is not None


@pytest.mark.parametrize("name", READ_SETTINGS)
def test_the_environment_of_a_container_is_valid_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(SERVICES[name], monkeypatch)

    hosts = {
        "kafka": settings.kafka_servers.split(":")[0],
        "redis": urlsplit(settings.redis_url).hostname,
        "postgres": urlsplit(settings.records_url).hostname,
        "ray-head": settings.ray_address.split(":")[0],
    }
    assert {service: host for service, host in hosts.items() if service != host} == {}


@pytest.mark.parametrize("name", READ_SETTINGS)
def test_every_variable_of_a_container_is_a_setting(name: str) -> None:
    ours = [variable for variable in SERVICES[name]["environment"] if variable.startswith("LOUPE_") and variable != "LOUPE_CONFIG"]

    assert [variable for variable in ours if not _is_setting(variable)] == []


def test_a_misspelt_variable_would_be_noticed() -> None:
    assert _is_setting("LOUPE_INGEST__PORT")
    assert not _is_setting("LOUPE_INGEST_PORT")
    assert not _is_setting("LOUPE_INGEST__PORTS")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_only_for_services_that_can_say_they_are_ready(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]


def test_only_the_gpu_worker_needs_a_profile() -> None:
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {"ray-gpu-worker": ["gpu"]}


# Ports and networks


@pytest.mark.parametrize(("name", "section"), [("dashboard", "dashboard"), ("ingest", "ingest")])
def test_a_server_is_published_on_the_hosts_loopback_alone(name: str, section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [published] = SERVICES[name]["ports"]
    host, outer, inner = interpolated(published).split(":")
    server = getattr(settings_of(SERVICES[name], monkeypatch), section)

    assert host in LOOPBACK
    assert int(outer) == int(inner) == server.port == getattr(Settings(), section).port
    assert (server.host, server.beyond_loopback) == ("0.0.0.0", True)


def test_nothing_else_is_published_and_the_stores_have_no_way_out() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"dashboard", "ingest"}
    assert {name for name, service in SERVICES.items() if service["networks"] != ["inside"]} == {"dashboard", "ingest"}
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_listening_beyond_loopback_is_said_where_it_happens_and_nowhere_else() -> None:
    saying = {name for name, service in SERVICES.items() if any("BEYOND_LOOPBACK" in variable for variable in service.get("environment", {}))}

    assert saying == {"dashboard", "ingest"}


def test_addresses_name_the_ports_on_which_the_services_listen() -> None:
    environment, head = READ_SETTINGS["recorder"]["environment"], SERVICES["ray-head"]["command"]

    assert environment["LOUPE_KAFKA__BOOTSTRAP_SERVERS"] == SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://")
    assert f"--port={environment['LOUPE_RAY__ADDRESS'].rpartition(':')[2]}" in head
    assert f"--dashboard-port={urlsplit(environment['LOUPE_RAY__DASHBOARD_URL']).port}" in head
    assert f"--address={environment['LOUPE_RAY__ADDRESS']}" in SERVICES["ray-worker"]["command"]
    assert f"--address={environment['LOUPE_RAY__ADDRESS']} " in SERVICES["trainer"]["command"][-1]


def test_health_checks_ask_addresses_that_exist() -> None:
    asked = {name: service["healthcheck"]["test"][-1] for name, service in OURS.items() if "healthcheck" in service}

    for name in ("ingest", "dashboard"):
        url = urlsplit(asked[name])
        assert url.port == getattr(Settings(), name).port
        assert f'"{url.path}"' in (ROOT / "services" / name / "application.py").read_text()
    for name in RAY_NODES:
        assert f'"{urlsplit(asked[name]).path}"' in _ray_source("ray/dashboard/http_server_head.py")


def test_the_probe_says_what_did_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe(["http://127.0.0.1:1/healthz"]) == 1
    assert "http://127.0.0.1:1/healthz" in capsys.readouterr().err


# Secrets


def test_no_password_has_a_default_and_none_is_written_down() -> None:
    secret = re.compile(r"PASSWORD|TOKEN|SECRET|://[^/]*@")
    values = [
        (name, variable, value)
        for name, service in SERVICES.items()
        for variable, value in service.get("environment", {}).items()
        if secret.search(variable) or secret.search(value)
    ]

    assert len(values) > 5
    for name, variable, value in values:
        found = VARIABLE.search(value)
        assert found is not None, f"{name}: {variable} is spelled out"
        assert (found[1] in GIVEN, found[2]) == (True, "?"), f"{name}: {variable} has a default"


def test_the_passwords_that_a_store_asks_for_are_those_that_clients_bring(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(SERVICES["recorder"], monkeypatch)

    assert urlsplit(settings.redis_url).password == interpolated(SERVICES["redis"]["environment"]["REDIS_PASSWORD"])
    assert urlsplit(settings.records_url).password == interpolated(SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"])
    assert urlsplit(settings.records_url).username == SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    assert urlsplit(settings.records_url).path.strip("/") == SERVICES["postgres"]["environment"]["POSTGRES_DB"]


@pytest.mark.parametrize("name", RAY_NODES)
def test_serve_processes_do_not_learn_how_to_open_sql(name: str) -> None:
    assert [variable for variable in SERVICES[name]["environment"] if "RECORDS" in variable or "POSTGRES" in variable] == []


@pytest.mark.parametrize("name", OURS)
def test_whoever_speaks_to_ray_has_its_token(name: str) -> None:
    environment = SERVICES[name]["environment"]

    assert (environment["RAY_AUTH_MODE"], interpolated(environment["RAY_AUTH_TOKEN"])) == ("token", GIVEN["RAY_AUTH_TOKEN"])


# Images, volumes, Ray, Kafka


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", SERVICES[name]["image"])


def test_what_is_kept_is_kept_in_declared_volumes() -> None:
    mounted = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}

    assert {name for name in mounted if not name.startswith("./")} == set(COMPOSE["volumes"])
    assert all((ROOT / name).is_file() for name in mounted if name.startswith("./"))


@pytest.mark.parametrize("name", READ_SETTINGS)
def test_the_home_folder_and_the_settings_file_are_where_the_environment_says(name: str) -> None:
    targets = {mount.split(":")[1] for mount in SERVICES[name]["volumes"]}

    assert {SERVICES[name]["environment"]["LOUPE_HOME"], SERVICES[name]["environment"]["LOUPE_CONFIG"]} == targets


@pytest.mark.parametrize("name", RAY_NODES)
def test_ray_understands_its_options(name: str) -> None:
    command = SERVICES[name]["command"]
    known = set(re.findall(r'"(--[a-z-]+)"', _ray_source("ray/scripts/scripts.py")))

    assert command[:2] == ["ray", "start"]
    assert [option for option in command[2:] if option.split("=")[0] not in known] == []


@pytest.mark.parametrize("name", RAY_NODES)
def test_every_ray_node_takes_inspection_and_training(name: str) -> None:
    [given] = [option for option in SERVICES[name]["command"] if option.startswith("--resources=")]

    assert yaml.safe_load(given.removeprefix("--resources=")) == RESOURCES


def test_the_inspectors_gpus_are_one_variable_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GIVEN, "INSPECTOR_GPUS", "0.5")

    assert settings_of(SERVICES["deploy"], monkeypatch).inspector.num_gpus == 0.5


def test_the_broker_takes_messages_as_large_as_the_topics_do() -> None:
    assert int(SERVICES["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"]) == Settings().kafka.max_message_mb * 2**20


def test_every_variable_that_compose_asks_for_is_explained() -> None:
    asked = {found[1] for found in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())}
    explained = (ROOT / "docs" / "deployment.md").read_text()

    assert sorted(name for name in asked if f"`{name}`" not in explained) == []


def test_compose_itself_accepts_the_file() -> None:
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed (Debian: apt install docker-compose)")
    done = subprocess.run(["docker-compose", "config", "--quiet"], cwd=ROOT, env={**os.environ, **GIVEN}, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_compose_refuses_to_start_without_passwords() -> None:
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed (Debian: apt install docker-compose)")
    bare = {name: value for name, value in os.environ.items() if name not in GIVEN}
    done = subprocess.run(["docker-compose", "config", "--quiet"], cwd=ROOT, env=bare, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "put one into .env" in done.stderr


def _is_setting(variable: str) -> bool:
    model: Any = Settings
    *sections, last = variable.removeprefix("LOUPE_").lower().split("__")
    for section in sections:
        field = model.model_fields.get(section)
        if field is None:
            return False
        model = field.annotation
    return last in getattr(model, "model_fields", {})


def _ray_source(path: str) -> str:
    """Read, not imported: importing Ray takes seconds."""
    return Path(str(distribution("ray").locate_file(path))).read_text()
