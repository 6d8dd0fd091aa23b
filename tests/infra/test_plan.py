"""Settings decide what runs here; whatever they place elsewhere is left alone."""

import socket
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.plan import Plan, Planner
from infra.embedded.ports import LOOPBACK
from services.contract.settings import DashboardSettings, IngestSettings, KafkaSettings, RaySettings, RedisSettings, Settings

KAFKA = KafkaSettings(bootstrap_servers="broker-1:9092")
REDIS = RedisSettings(url="redis://:secret@cache:6379/0")
RAY = RaySettings(address="head:6379", dashboard_url="http://head:8265")


def test_addresses_in_the_settings_replace_the_embedded_parts(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, kafka=KAFKA, redis=REDIS, ray=RAY)

    assert [part.name for part in plan.parts] == ["recorder", "inspection", "ingest", "dashboard", "trainer"]
    assert plan.outside == {"kafka": "broker-1:9092", "redis": "cache:6379/0", "ray": "head:6379"}
    assert set(plan.endpoints) == {"dashboard", "ingest"}


def test_an_embedded_ray_is_told_to_children_with_a_token_of_its_own(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, kafka=KAFKA, redis=REDIS)

    token = Path(plan.environment["RAY_AUTH_TOKEN_PATH"])
    assert plan.environment["RAY_AUTH_MODE"] == "token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert plan.endpoints["ray"]["address"].startswith(f"{LOOPBACK}:")


def test_endpoints_are_settings(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, kafka=KAFKA, redis=REDIS)

    settings = Settings(home=tmp_path, **plan.endpoints)

    assert settings.ray_address == plan.endpoints["ray"]["address"]


def test_a_taken_port_is_replaced_and_children_are_told(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        plan = make_plan(tmp_path, kafka=KAFKA, redis=REDIS, ray=RAY, dashboard=DashboardSettings(port=taken), ingest=IngestSettings(port=taken))

    ports = {plan.endpoints["dashboard"]["port"], plan.endpoints["ingest"]["port"]}
    assert taken not in ports
    assert len(ports) == 2
    assert plan.environment["LOUPE_DASHBOARD__PORT"] == str(plan.endpoints["dashboard"]["port"])


def test_a_redis_of_its_own_gets_a_password_that_only_its_owner_reads(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, kafka=KAFKA, ray=RAY)

    password = (tmp_path / "redis" / "password").read_text()
    assert password in plan.endpoints["redis"]["url"]
    assert all(password not in address for address in plan.addresses.values())
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "redis").iterdir()} == {0o600}


def test_no_proxy_stands_between_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet")

    plan = make_plan(tmp_path, kafka=KAFKA, redis=REDIS, ray=RAY)

    assert plan.environment["NO_PROXY"] == f"intranet,{LOOPBACK},localhost"


def make_plan(home: Path, **sections: Any) -> Plan:
    return Planner(Settings(home=home, **sections)).plan()
