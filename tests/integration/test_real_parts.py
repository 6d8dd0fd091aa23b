"""The parts that other tests stand on are the real ones."""

import redis
from kafka import KafkaAdminClient

from infra.embedded.ray import RayNode
from services.contract.settings import Settings
from services.inspection.serve_api import ServeApi


def test_kafka_answers(kafka_servers: str) -> None:
    with KafkaAdminClient(bootstrap_servers=kafka_servers) as admin:
        assert len(admin.describe_cluster()["brokers"]) == 1


def test_redis_refuses_who_has_no_password(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
        assert client.info("server")["redis_mode"] == "standalone"
        assert client.config_get("requirepass")["requirepass"]


def test_ray_sets_room_aside_for_inspection_and_training(settings: Settings, ray_cluster: RayNode) -> None:
    with ServeApi(settings) as api:
        assert {"inspection", "training"} <= api.resources().keys()
