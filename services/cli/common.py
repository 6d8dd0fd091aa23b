"""What verbs share: settings or one clear line, JSON on standard output alone, the running stack's REST."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from services.contract.settings import Settings


Json = Annotated[bool, typer.Option("--json", help="Machine-readable, on standard output alone.")]
REFUSED = "it does not know us: set LOUPE_DASHBOARD__TOKEN to a token of `loupe token add`, or run where `loupe up` left one ({})"


def fail(message: object, code: int = 1) -> NoReturn:
    """Says why on standard error and ends."""
    typer.echo(f"loupe: {message}", err=True)
    raise typer.Exit(code)


def load_settings(**overrides: Any) -> "Settings":
    """Settings of this installation; a running embedded Ray's token comes into the environment with them."""
    from services.contract.settings import SettingsError, load  # half a second that `loupe --help` need not wait

    try:
        settings = load(**overrides)
    except SettingsError as error:
        fail(error, 2)
    if settings.ray.address is not None:
        _speak_to_embedded_ray(settings.home.absolute())
    return settings


def _speak_to_embedded_ray(home: Path) -> None:
    from infra.embedded.ray import client_environment

    if (home / "ray").is_dir():
        for name, value in client_environment(home / "ray").items():
            os.environ.setdefault(name, value)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def dashboard_url(settings: "Settings") -> str:
    return f"http://127.0.0.1:{settings.dashboard.port}"


def authorization(settings: "Settings") -> dict[str, str]:
    """What shows the dashboard who we are: the token of the settings, or the one that `loupe up` left for this machine."""
    given = settings.dashboard.token
    if given is not None:
        return {"authorization": f"Bearer {given.get_secret_value()}"}
    try:
        return {"authorization": f"Bearer {settings.token_path.read_text().strip()}"}
    except OSError:
        return {}


def rest(settings: "Settings", method: str, path: str, *, within_s: float = 30, **options: Any) -> Any:
    """Calls the running dashboard; ends with one clear line where it does not answer or refuses."""
    import httpx

    url = f"{dashboard_url(settings)}/api/v1{path}"
    try:
        response = httpx.request(method, url, timeout=within_s, trust_env=False, headers=authorization(settings), **options)
    except httpx.HTTPError as error:
        fail(f"{url}: no answer ({error}); is the stack up? Start it with `loupe up`")
    if response.status_code == 401:
        fail(f"{url}: {REFUSED.format(settings.token_path)}")
    if response.is_error:
        fail(f"{url}: {response.status_code}: {response.json().get('detail', response.text) if _is_json(response) else response.text[:300]}")
    return response.json() if response.content else None


def _is_json(response: Any) -> bool:
    return str(response.headers.get("content-type", "")).startswith("application/json")
