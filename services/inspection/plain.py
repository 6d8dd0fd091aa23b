"""Settings -> plain values that travel to replicas on any machine, and back. Secrets are spelled out: only Ray's token shows them."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from services.contract.settings import Settings

FOR_REPLICAS = ("home", "names_prefix", "kafka", "redis", "archive", "inspection", "consumer", "inspector")


def settings_to(settings: Settings) -> dict[str, Any]:
    """What replicas need of the settings; the home folder absolute, since Ray's workers start elsewhere."""
    chosen = {name: _plain(getattr(settings, name)) for name in FOR_REPLICAS}
    return {**chosen, "home": str(settings.home.absolute())}


def settings_from(plain: dict[str, Any]) -> Settings:
    return Settings(**plain)


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
