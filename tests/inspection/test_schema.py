"""Settings become a declarative application that Serve accepts, and limits change alone."""

import json
from pathlib import Path

import pytest
from ray.serve.schema import ServeDeploySchema

from services.contract.names import INSPECTOR
from services.contract.settings import InspectorSettings, RedisSettings, Settings
from services.inspection.plain import settings_from
from services.inspection.schema import Limits, application, limits_in, with_limits


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    inspector = InspectorSettings(num_gpus=0.5, threads=3)
    return Settings(home=tmp_path, names_prefix="t-", redis=RedisSettings(url="redis://:secret@127.0.0.1:1/0"), inspector=inspector)


def test_serve_accepts_the_application(settings: Settings) -> None:
    described = application(settings, Limits(0, 3), node_resources={"CPU": 8, "inspection": 1})

    accepted = ServeDeploySchema.model_validate(json.loads(json.dumps({"applications": [described]})))

    inspector = next(one for one in accepted.applications[0].deployments if one.name == INSPECTOR)
    assert inspector.ray_actor_options.num_gpus == 0.5
    assert inspector.ray_actor_options.runtime_env["env_vars"]["OMP_NUM_THREADS"] == "3"
    assert "inspection" in inspector.ray_actor_options.resources


def test_the_custom_resource_is_asked_for_only_where_it_exists(settings: Settings) -> None:
    described = application(settings, Limits(1, 1), node_resources={"CPU": 8})

    assert all(one["ray_actor_options"]["resources"] == {} for one in described["deployments"])


def test_replicas_get_the_settings_as_they_are_secrets_included(settings: Settings) -> None:
    args = json.loads(json.dumps(application(settings, Limits(1, 1), node_resources={})["args"]))

    arrived = settings_from(args["settings"])

    assert arrived.redis_url == settings.redis_url
    assert arrived.names == settings.names
    assert arrived.inspector == settings.inspector
    assert arrived.home == settings.home.absolute()


def test_other_limits_change_nothing_else(settings: Settings) -> None:
    described = application(settings, Limits(1, 2), node_resources={})

    changed = with_limits(described, Limits(0, 5))

    assert limits_in(changed) == Limits(0, 5)
    assert with_limits(changed, Limits(1, 2)) == described


@pytest.mark.parametrize(("least", "most"), [(-1, 1), (2, 1), (0, 0)])
def test_limits_that_make_no_sense_are_refused(least: int, most: int) -> None:
    with pytest.raises(ValueError, match="0 <= min <= max"):
        Limits(least, most)
