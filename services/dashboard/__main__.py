"""`python -m services.dashboard`: settings -> pages, REST and /ws/live on one port, one worker."""

import os
import signal
import sys

import uvicorn

from services.contract.logs import configure_logging
from services.contract.settings import LOOPBACK, Settings, SettingsError, load

KEEP_ALIVE_S = 75


def main() -> int:
    configure_logging("dashboard")
    try:
        settings = load()
        server = serve(settings)
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"dashboard: {error}\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn, done with its own ending, raises the signal again
    server.run()
    return 0 if server.started else 1


def serve(settings: Settings) -> uvicorn.Server:
    """Raises SettingsError where it would listen beyond loopback without being told so."""
    if settings.dashboard.host not in LOOPBACK and not settings.dashboard.beyond_loopback:
        raise SettingsError(f"dashboard.host: expected one of {LOOPBACK}, got {settings.dashboard.host!r} without beyond_loopback = true")
    _prepare_nicegui(settings)
    from services.dashboard.application import create_app
    from services.dashboard.pages import add_pages
    from services.dashboard.parts import build

    app = create_app(build(settings))
    add_pages(app, settings)
    config = uvicorn.Config(
        app,
        host=settings.dashboard.host,
        port=settings.dashboard.port,
        access_log=False,
        log_config=None,
        ws_per_message_deflate=False,  # JPEGs do not get smaller, and it costs eight times the CPU
        ws_max_size=64 * 1024,
        timeout_keep_alive=KEEP_ALIVE_S,
        proxy_headers=bool(settings.dashboard.trusted_proxies),  # else anybody could say where they call from
        forwarded_allow_ips=list(settings.dashboard.trusted_proxies),
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    return uvicorn.Server(config)


def _prepare_nicegui(settings: Settings) -> None:
    """It reads its environment at import, and serves nothing when it believes that a test imports it: a stack started by a test is no test."""
    for name in [name for name in os.environ if name.startswith(("PYTEST_", "NICEGUI_"))]:
        del os.environ[name]
    os.environ["NICEGUI_STORAGE_PATH"] = str(settings.home.absolute() / "dashboard")


if __name__ == "__main__":
    sys.exit(main())
